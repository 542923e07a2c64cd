// SPDX-License-Identifier: MIT
// pool::memory_bound(): what a pool may take at most. In a program of its own, for what it took
// stays with malloc.
#include "support.hpp"

#include <malloc.h>
#include <pthread.h>

namespace {

using namespace weir_test;
using namespace weir;

TEST(memory_bound_test, it_is_what_the_workers_and_the_queue_can_hold) {
  const pool small{{.workers = 1, .queue = 1}};
  const pool large{{.workers = 8, .queue = 1'000'000}};
  EXPECT_GT(small.memory_bound(), 256 * 1024) << "a stack";
  EXPECT_LT(small.memory_bound(), 512 * 1024);
  EXPECT_GT(large.memory_bound(), 8 * 256 * 1024 + 100'000'000);
  EXPECT_LT(large.memory_bound(), 512'000'000);
}

TEST(memory_bound_test, what_a_jobs_options_take_counts) {
  constexpr std::int64_t jobs = 100'000;
  const auto [ctx, cancel] = with_cancel(background());
  const retry_policy later{.attempts = 2, .first = 1h, .max = 1h};
  const pool<> p{{.workers = 1, .queue = jobs}};
  p.post(ctx, {.retry = later}, [] {});
  p.wait();
  const std::size_t before = mallinfo2().uordblks;
  for (std::int64_t i = 0; i < jobs; ++i) {
    p.post(ctx, {.retry = later}, [] { throw std::runtime_error("later"); });
  }
  until([&] { return p.stats().retried == jobs; });
  EXPECT_LE(mallinfo2().uordblks - before, p.memory_bound());
  (void)p.stop();
}

TEST(memory_bound_test, the_pools_retries_count_from_the_first) {
  const pool<> without{{.workers = 1, .queue = 1000}};
  const pool<> with{{.workers = 1, .queue = 1000, .retry = {.attempts = 2}}};
  EXPECT_GT(with.memory_bound(), without.memory_bound() + 1000 * std::size_t{300});
}

TEST(memory_bound_test, a_thread_counts_with_the_stack_that_it_gets) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_getattr_default_np(&attributes), 0);
  std::size_t stack = 0;
  ASSERT_EQ(pthread_attr_getstacksize(&attributes, &stack), 0);
  const pool few{{.workers = 1, .queue = 1, .host = host::threads}};
  const pool more{{.workers = 3, .queue = 1, .host = host::threads}};
  EXPECT_GE(more.memory_bound() - few.memory_bound(), 2 * stack);
  EXPECT_LT(more.memory_bound() - few.memory_bound(), 2 * stack + 4096);
  ASSERT_EQ(pthread_attr_destroy(&attributes), 0);
}

}  // namespace
