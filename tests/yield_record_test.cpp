// SPDX-License-Identifier: MIT
// Whether a thread lets others run before it sleeps: by what became of it before.
#include "runtime/yield_record.hpp"

#include <gtest/gtest.h>

namespace {

using weir::detail::yield_record;

constexpr std::int64_t us = 1000;
constexpr std::int64_t slice = 3000 * us;

/// Of so many occasions of one thread, the tries, each of which ends like that.
int tries(yield_record& r, int occasions, bool paid, std::int64_t took) {
  std::uint32_t left_out = 0;
  int n = 0;
  for (int i = 0; i < occasions; ++i) {
    if (!r.is_worth_a_try(left_out)) continue;
    ++n;
    r.learn(paid, took);
  }
  return n;
}

TEST(yield_record, is_tried_each_time_as_long_as_it_pays) {
  yield_record r;
  EXPECT_EQ(tries(r, 100, true, 5 * us), 100);
}

TEST(yield_record, in_vain_it_is_tried_once_in_64_times) {
  yield_record r;
  (void)tries(r, 127, false, 5 * us);
  EXPECT_EQ(tries(r, 6400, false, 5 * us), 100);
}

TEST(yield_record, after_a_slice_of_a_neighbour_hardly_ever_even_if_it_paid) {
  for (const bool paid : {false, true}) {
    yield_record r;
    EXPECT_EQ(tries(r, 4096, paid, slice), 1);
    EXPECT_EQ(tries(r, 4096, paid, slice), 1);
  }
}

TEST(yield_record, in_vain_it_is_not_tried_more_often_than_after_a_slice) {
  yield_record r;
  (void)tries(r, 1, false, slice);
  EXPECT_EQ(tries(r, 8192, false, 5 * us), 2);
}

TEST(yield_record, comes_back_where_it_pays_again) {
  yield_record r;
  (void)tries(r, 1, false, slice);
  (void)tries(r, 4096 + 1024 + 256 + 64 + 16 + 4, true, 5 * us);
  EXPECT_EQ(tries(r, 100, true, 5 * us), 100);
}

TEST(yield_record, is_the_same_for_all_threads) {
  yield_record r;
  (void)tries(r, 1, false, slice);
  std::uint32_t of_another = 0;
  EXPECT_FALSE(r.is_worth_a_try(of_another));
}

}  // namespace
