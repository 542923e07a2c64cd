// SPDX-License-Identifier: MIT
// When a carrier gives its only waiting task away: by what became of those before.
#include "runtime/gift_record.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>

#include "support.hpp"

namespace {

using weir::detail::gift_record;

constexpr std::int64_t us = 1000;

/// On how many of `occasions`, one a microsecond from `now` on.
int tries(gift_record& r, std::int64_t now, int occasions) {
  int n = 0;
  for (int i = 0; i < occasions; ++i) n += r.is_worth_a_try(now + i * us) ? 1 : 0;
  return n;
}

TEST(gift_record, tries_at_once_and_as_long_as_it_pays) {
  gift_record r;
  EXPECT_EQ(tries(r, 0, 5), 5);
  r.learn(50 * us);
  EXPECT_EQ(tries(r, 5 * us, 5), 5);
}

TEST(gift_record, tries_half_as_often_each_time_that_it_did_not_pay) {
  gift_record r;
  r.learn(1 * us);
  EXPECT_EQ(tries(r, 0, 64), 32);
  r.learn(0);
  EXPECT_EQ(tries(r, 64 * us, 64), 16);
  for (int i = 0; i < 100; ++i) r.learn(0);
  EXPECT_EQ(tries(r, 128 * us, 640), 10) << "one of 64 at least";
}

TEST(gift_record, one_that_paid_makes_up_for_all) {
  gift_record r;
  for (int i = 0; i < 10; ++i) r.learn(0);
  r.learn(30 * us);
  EXPECT_EQ(tries(r, 0, 5), 5);
}

TEST(gift_record, tries_again_after_a_while_however_few_occasions_there_were) {
  gift_record r;
  for (int i = 0; i < 10; ++i) r.learn(0);
  EXPECT_FALSE(r.is_worth_a_try(1000 * us));
  EXPECT_TRUE(r.is_worth_a_try(2001 * us));
  EXPECT_FALSE(r.is_worth_a_try(2002 * us));
}

/// How often a thread of this process has gone to sleep.
std::int64_t sleeps() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nvcsw;
}

TEST(gifts, two_tasks_that_answer_each_other_stay_together) {
  if (weir_test::sanitized) GTEST_SKIP() << "pieces are longer there, and it may pay";
  // Each computes for 2 us and then waits for the other: on two carriers each would wait for its
  // wake-up as well.
  weir::runtime rt{{.carriers = 2}};
  rt.run([] {
    const weir::channel<int> there;
    const weir::channel<int> back;
    const auto compute = [] { weir_test::compute_for(std::chrono::microseconds(2)); };
    weir::go([=] {
      for (const int v : there) {
        compute();
        back.send(v);
      }
    });
    const std::int64_t before = sleeps();
    constexpr int rounds = 2000;
    for (int i = 0; i < rounds; ++i) {
      there.send(i);
      compute();
      EXPECT_EQ(back.receive(), i);
    }
    EXPECT_LT(sleeps() - before, rounds / 2);
    there.close();
  });
}

}  // namespace
