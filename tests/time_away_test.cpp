// SPDX-License-Identifier: MIT
// How long who finds a lock taken stays away: by whether its holder takes it again and again.
#include "runtime/time_away.hpp"

#include <gtest/gtest.h>

namespace {

using weir::detail::most_time_away;
using weir::detail::next_time_away;

TEST(time_away, grows_while_the_holder_takes_it_again_up_to_a_limit) {
  std::uint8_t away = 1;
  for (int i = 0; i < 3; ++i) away = next_time_away(away, 2);
  EXPECT_EQ(away, 8);
  for (int i = 0; i < 10; ++i) away = next_time_away(away, 1000);
  EXPECT_EQ(away, most_time_away);
}

TEST(time_away, shrinks_to_a_moment_where_holders_go_on_to_something_else) {
  std::uint8_t away = most_time_away;
  for (int i = 0; i < 6; ++i) away = next_time_away(away, i % 2 == 0 ? 0 : 1);
  EXPECT_EQ(away, 1);
  EXPECT_EQ(next_time_away(away, 0), 1);
}

}  // namespace
