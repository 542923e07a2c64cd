// SPDX-License-Identifier: MIT
// For how long a pool's worker looks out for the next job: by how long it had to wait for others.
#include "pool/idle_gaps.hpp"

#include <gtest/gtest.h>

namespace {

using weir::detail::idle_gaps;

constexpr std::int64_t us = 1000;

/// After many that were so long.
idle_gaps after(std::int64_t gap) {
  idle_gaps g;
  for (int i = 0; i < 100; ++i) g.learn(gap);
  return g;
}

TEST(idle_gaps, a_look_out_is_as_long_as_a_wake_up_at_first_and_where_jobs_are_rare) {
  EXPECT_EQ(idle_gaps{}.lookout(), 50 * us);
  EXPECT_EQ(after(100 * us).lookout(), 50 * us);
  EXPECT_EQ(after(3'600'000'000 * us).lookout(), 50 * us);
}

TEST(idle_gaps, it_is_three_times_the_average_where_jobs_come_often) {
  EXPECT_NEAR(static_cast<double>(after(40 * us).lookout()), 120.0 * us, 1.0 * us);
  EXPECT_LE(after(75 * us).lookout(), 225 * us);
}

TEST(idle_gaps, it_is_never_shorter_than_a_wake_up) {
  EXPECT_EQ(after(0).lookout(), 50 * us);
  EXPECT_EQ(after(10 * us).lookout(), 50 * us);
}

TEST(idle_gaps, a_pause_ends_it_and_is_soon_forgotten) {
  idle_gaps g = after(40 * us);
  g.learn(3'600'000'000 * us);
  EXPECT_EQ(g.lookout(), 50 * us);
  for (int i = 0; i < 16; ++i) g.learn(40 * us);
  EXPECT_GT(g.lookout(), 120 * us);
}

}  // namespace
