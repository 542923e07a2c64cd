// SPDX-License-Identifier: MIT
// Coroutines and the pool: co_await on futures, and being moved to a worker.
#include "support.hpp"

#include <weir/pool_coroutine.hpp>

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(pool_coroutine_test);

detached sum_of_two(const pool<>& p, channel<int> out) {
  const int a = co_await p.submit([] { return 40; });
  const int b = co_await p.submit([] { return 2; });
  out.send(a + b);
}

WEIR_RULE(pool_coroutine_test, awaiting_a_future_gives_its_result) {
  crew_.run([] {
    pool p{{.workers = 2, .queue = 4}};
    const channel<int> out{1};
    sum_of_two(p, out);
    EXPECT_EQ(out.receive(), 42);
  });
}

detached failing(const pool<>& p, channel<std::string> out) {
  std::string seen;
  try {
    co_await p.submit([] { throw std::runtime_error("no"); });
  } catch (const std::runtime_error& e) {
    seen = e.what();
  }
  out.send(seen);
}

WEIR_RULE(pool_coroutine_test, awaiting_a_future_throws_its_exception) {
  crew_.run([] {
    pool p{{.workers = 1, .queue = 4}};
    const channel<std::string> out{1};
    failing(p, out);
    EXPECT_EQ(out.receive(), "no");
  });
}

detached on_a_worker(const pool<>& p, std::atomic<int>& in, std::atomic<int>& most,
                     wait_group ended) {
  co_await p.schedule();
  const int now = ++in;
  for (int m = most; now > m && !most.compare_exchange_weak(m, now);) {
  }
  yield();
  --in;
  ended.done();
}

WEIR_RULE(pool_coroutine_test, scheduled_coroutines_are_jobs_no_more_run_than_workers) {
  crew_.run([] {
    std::atomic<int> in{0};
    std::atomic<int> most{0};
    pool p{{.workers = 2, .queue = 3}};
    const wait_group ended;
    for (int i = 0; i < 10; ++i) {
      ended.add();
      on_a_worker(p, in, most, ended);
    }
    ended.wait();
    p.wait();
    EXPECT_LE(most, 2);
    EXPECT_EQ(p.stats().done, 10);
  });
}

detached note_the_end(const pool<>& p, channel<std::error_code> out) {
  std::error_code end;
  try {
    co_await p.schedule();
  } catch (const std::system_error& e) {
    end = e.code();
  }
  out.send(end);
}

WEIR_RULE(pool_coroutine_test, one_that_the_pool_does_not_take_or_run_is_told) {
  crew_.run([] {
    pool p{{.workers = 1, .queue = 4}};
    const channel<std::error_code> out{2};
    p.pause();
    note_the_end(p, out);
    (void)p.stop();
    EXPECT_EQ(out.receive(), std::error_code(errc::dropped));
    note_the_end(p, out);
    EXPECT_EQ(out.receive(), std::error_code(errc::cancelled));
  });
}

detached often(const pool<>& p, int times, channel<int> out) {
  for (int i = 0; i < times; ++i) co_await p.schedule();
  out.send(times);
}

TEST(pool_coroutine, one_that_schedules_itself_again_and_again_on_a_full_pool_needs_no_stack) {
  constexpr int times = 50'000;
  for (const host h : {host::tasks, host::threads}) {
    const pool p{{.workers = 1, .queue = 0, .host = h}};
    const channel<int> out{1};
    often(p, times, out);
    EXPECT_EQ(out.receive(), times);
  }
}

}  // namespace
