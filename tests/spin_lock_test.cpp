// SPDX-License-Identifier: MIT
// The lock inside of the primitives, on real threads: tests/model has every order of its steps.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "support.hpp"
#include "weir/detail/spin_lock.hpp"

namespace {

using weir::detail::spin_lock;
using weir_test::turns;

#if defined(__LP64__)
static_assert(sizeof(spin_lock) == 40, "contexts have three each, and there may be a million");
#endif

/// What it guards is not atomic: two at a time would lose counts, and ThreadSanitizer sees them.
struct counter {
  spin_lock lock{2, 1};  // biased at every occasion, until it may not any more
  long n = 0;
  void add(int times) {
    for (int i = 0; i < times; ++i) {
      lock.lock();
      ++n;
      lock.unlock();
    }
  }
};

/// Each thread takes each lock so many times in a row, all threads the same locks in the same
/// order: they meet where biases begin and end.
void count_together(int threads, int times, std::vector<counter>& counters) {
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t) {
    all.emplace_back([&] {
      for (counter& c : counters) c.add(times);
    });
  }
  for (auto& t : all) t.join();
  for (const counter& c : counters) ASSERT_EQ(c.n, threads * times);
}

TEST(spin_lock_test, excludes_where_owners_change) {
  for (const int times : {3, 7, 50}) {
    std::vector<counter> counters(static_cast<std::size_t>(turns(20'000)));
    count_together(2, times, counters);
  }
  std::vector<counter> counters(static_cast<std::size_t>(turns(5'000)));
  count_together(4, 20, counters);
}

TEST(spin_lock_test, excludes_where_all_want_the_same) {
  std::vector<counter> one(1);
  count_together(4, turns(200'000), one);
}

TEST(spin_lock_test, an_owner_that_has_ended_is_in_nobodys_way) {
  counter c;
  std::thread([&] { c.add(10); }).join();  // it is the owner now
  std::thread([&] { c.add(10); }).join();  // perhaps with the same number
  c.add(10);
  EXPECT_EQ(c.n, 30);
}

TEST(spin_lock_test, its_holder_is_told_whether_another_thread_had_it_before) {
  spin_lock lock;
  const auto changes_hands = [&lock] {
    lock.lock();
    const bool told = lock.changes_hands();
    lock.unlock();
    return told;
  };
  EXPECT_TRUE(changes_hands());  // nobody had it
  EXPECT_FALSE(changes_hands());
  bool elsewhere = false;
  std::thread([&] { elsewhere = changes_hands(); }).join();
  EXPECT_TRUE(elsewhere);
  EXPECT_TRUE(changes_hands());
  EXPECT_FALSE(changes_hands());
}

}  // namespace
