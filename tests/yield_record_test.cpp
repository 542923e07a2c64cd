// SPDX-License-Identifier: MIT
// Whether a thread lets others run before it sleeps: by what became of it before.
#include "runtime/yield_record.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <weir/weir.hpp>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include "support.hpp"

namespace {

using namespace std::chrono_literals;
using weir::detail::yield_record;

constexpr std::int64_t us = 1000;
constexpr std::int64_t slice = 3000 * us;

/// Of so many occasions, the tries, each of which ends like that.
int tries(yield_record& r, int occasions, bool paid, std::int64_t took) {
  int n = 0;
  for (int i = 0; i < occasions; ++i) {
    if (!r.is_worth_a_try()) continue;
    ++n;
    r.learn(paid, took);
  }
  return n;
}

TEST(yield_record, spares_who_waits_a_few_times_only) {
  yield_record r;
  EXPECT_EQ(tries(r, 15, true, 5 * us), 0);
  EXPECT_EQ(tries(r, 1, true, 5 * us), 1);
}

TEST(yield_record, is_tried_each_time_as_long_as_it_pays) {
  yield_record r;
  (void)tries(r, 16 + 4, true, 5 * us);
  EXPECT_EQ(tries(r, 100, true, 5 * us), 100);
}

TEST(yield_record, in_vain_it_is_tried_once_in_64_times) {
  yield_record r;
  (void)tries(r, 16 + 32, false, 5 * us);
  EXPECT_EQ(tries(r, 6400, false, 5 * us), 100);
}

TEST(yield_record, after_a_slice_of_a_neighbour_hardly_ever_even_if_it_paid) {
  for (const bool paid : {false, true}) {
    yield_record r;
    (void)tries(r, 16, paid, slice);
    EXPECT_EQ(tries(r, 4095, paid, slice), 0);
    EXPECT_EQ(tries(r, 1, paid, slice), 1);
  }
}

TEST(yield_record, in_vain_it_is_not_tried_more_often_than_after_a_slice) {
  yield_record r;
  (void)tries(r, 16, false, slice);
  EXPECT_EQ(tries(r, 8192, false, 5 * us), 2);
}

TEST(yield_record, comes_back_where_it_pays_again) {
  yield_record r;
  (void)tries(r, 16, false, slice);
  (void)tries(r, 4096 + 1024 + 256 + 64 + 16 + 4, true, 5 * us);
  EXPECT_EQ(tries(r, 100, true, 5 * us), 100);
}

// This program's own sched_yield(), below: how often this thread has called it, and what a
// neighbour then does with the processor.
thread_local int yields = 0;
std::atomic<std::int64_t> neighbour_takes{0};  // ns

/// Waits so often for another thread, which is slow enough for a wait to be one.
void wait_for_another(int times) {
  const weir::channel<int> asked;
  const weir::channel<int> answered;
  std::thread other([&] {
    for (const int i : asked) {
      weir_test::compute_for(50us);
      answered.send(i);
    }
  });
  for (int i = 0; i < times; ++i) {
    asked.send(i);
    (void)answered.receive();
  }
  asked.close();
  other.join();
}

TEST(a_thread_that_waits, lets_others_run_before_it_sleeps) {
  std::thread([] {
    wait_for_another(100);
    EXPECT_GT(yields, 0);
  }).join();
}

TEST(a_thread_that_waits, stops_letting_others_run_once_one_of_them_computes) {
  neighbour_takes = 2'000'000;
  std::thread([] {
    wait_for_another(100);
    EXPECT_GT(yields, 0);
    EXPECT_LT(yields, 10);  // a lock that is taken may add one
  }).join();
  neighbour_takes = 0;
}

TEST(a_thread_that_waits, lets_nobody_run_if_it_waits_for_a_time) {
  std::thread([] {
    for (int i = 0; i < 40; ++i) weir::sleep_for(10us);
    const weir::channel<int> nothing;
    for (int i = 0; i < 40; ++i) {
      weir::select(weir::on_receive(nothing, [](std::optional<int>) {}), weir::after(10us));
    }
    EXPECT_EQ(yields, 0);
  }).join();
}

}  // namespace

/// In place of the C library's, for the library as well.
extern "C" int sched_yield() noexcept {
  ++yields;
  weir_test::compute_for(std::chrono::nanoseconds(neighbour_takes.load()));
  return static_cast<int>(syscall(SYS_sched_yield));
}
