// SPDX-License-Identifier: MIT
// The count of a handful, by itself, on real threads. Under every order of its steps:
// model/stoppable_count_test.cpp.
#include "pool/stoppable_count.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "support.hpp"

namespace {

using weir::detail::stoppable_count;

TEST(stoppable_count, is_stopped_until_it_is_started) {
  stoppable_count c;
  EXPECT_TRUE(c.is_stopped());
  c.start(3);
  EXPECT_FALSE(c.is_stopped());
  EXPECT_EQ(c.value(), 3U);
}

TEST(stoppable_count, counts_until_it_is_stopped) {
  stoppable_count c;
  c.start(1);
  EXPECT_TRUE(c.increment());
  EXPECT_TRUE(c.increment());
  c.stop();
  EXPECT_EQ(c.stopped_at(), 3U);
  EXPECT_FALSE(c.increment());
  EXPECT_FALSE(c.has_counted()) << "who stopped it has not seen that one";
}

TEST(stoppable_count, what_was_seen_in_time_has_been_counted) {
  stoppable_count c;
  c.start(1);
  c.stop();  // and before its look at the value:
  EXPECT_FALSE(c.increment());
  EXPECT_EQ(c.stopped_at(), 2U);
  EXPECT_TRUE(c.has_counted());
}

TEST(stoppable_count, of_many_things_each_has_one_owner) {
  if (!weir::port::has_process_barrier()) GTEST_SKIP() << "the kernel has no membarrier";
  constexpr std::uint32_t things = 16;
  const int rounds = weir_test::turns(20'000);
  stoppable_count c;
  std::mutex lock;
  std::vector<int> done(
      things);  // by the owner up to where it was stopped, by the other from there
  std::atomic<int> round{0};
  std::atomic<int> owner_is_through{0};
  std::thread owner([&] {
    for (int r = 1; r <= rounds; ++r) {
      {
        const std::lock_guard hold(lock);
        c.start(0);
      }
      round = r;
      for (std::uint32_t n = 0; n < things; ++n) {
        bool mine = c.increment();
        if (!mine) {
          const std::lock_guard hold(lock);
          mine = c.has_counted();
        }
        if (!mine) break;
        ++done[n];
      }
      owner_is_through = r;
      while (round == r) std::this_thread::yield();
    }
  });
  for (int r = 1; r <= rounds; ++r) {
    while (round != r) std::this_thread::yield();
    for (int i = r % 64; i > 0; --i) weir::port::light_barrier();
    std::uint32_t n = 0;
    {
      const std::lock_guard hold(lock);
      c.stop();
      weir::port::process_barrier();
      n = c.stopped_at();
    }
    for (; n < things; ++n) ++done[n];
    while (owner_is_through != r) std::this_thread::yield();
    for (std::uint32_t i = 0; i < things; ++i) ASSERT_EQ(done[i], r) << "thing " << i;
    round = -r;
  }
  owner.join();
}

}  // namespace
