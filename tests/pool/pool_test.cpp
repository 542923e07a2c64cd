// SPDX-License-Identifier: MIT
// The pool word by word: submit, post, futures, full queues, errors.
#include "support.hpp"

#include <numeric>

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(pool_test);

/// A job that runs until the gate is opened, and says that it has started.
struct gate {
  channel<int> started;
  channel<int> open;
  auto job() const {
    return [*this] {
      started.send(0);
      (void)open.receive();
    };
  }
};

WEIR_RULE(pool_test, a_submitted_jobs_result_is_its_futures) {
  crew_.run([] {
    pool p{{.workers = 2, .queue = 4}};
    auto f = p.submit([] { return 6 * 7; });
    EXPECT_TRUE(f.valid());
    EXPECT_EQ(f.get(), 42);
    EXPECT_FALSE(f.valid());
    EXPECT_THROW((void)f.get(), std::logic_error);
    auto s = p.submit([owned = std::make_unique<int>(5)] { return std::to_string(*owned); });
    EXPECT_EQ(s.get(), "5") << "move-only functions are welcome";
    p.submit([] {}).get();
  });
}

WEIR_RULE(pool_test, a_job_may_be_a_member_of_the_state) {
  struct connection {
    int number = 7;
    int query() { return number++; }
  };
  crew_.run([] {
    pool<connection> p{{.workers = 1}};
    EXPECT_EQ(p.submit(&connection::query).get(), 7);
    p.post(&connection::query);
    EXPECT_EQ(p.submit(&connection::query).get(), 9);
  });
}

WEIR_RULE(pool_test, a_jobs_exception_is_its_futures_and_stops_nobody) {
  crew_.run([] {
    pool p{{.workers = 1, .queue = 4}};
    auto bad = p.submit([]() -> int { throw std::runtime_error("no"); });
    auto good = p.submit([] { return 1; });
    EXPECT_THROW((void)bad.get(), std::runtime_error);
    EXPECT_EQ(good.get(), 1);
    p.wait();
    const pool_stats s = p.stats();
    EXPECT_EQ(s.submitted, 2);
    EXPECT_EQ(s.done, 1);
    EXPECT_EQ(s.failed, 1);
    EXPECT_EQ(s.running + s.depth, 0);
  });
}

WEIR_RULE(pool_test, no_more_run_than_there_are_workers) {
  std::atomic<int> in{0};
  std::atomic<int> most{0};
  pool p{{.workers = 3, .queue = 5}};
  for (int i = 0; i < 4; ++i) {
    crew_.spawn([&] {
      for (int k = 0; k < turns(200); ++k) {
        p.post([&] {
          const int now = ++in;
          for (int m = most; now > m && !most.compare_exchange_weak(m, now);) {
          }
          yield();
          --in;
        });
      }
    });
  }
  crew_.join();
  p.wait();
  EXPECT_LE(most, 3);
  EXPECT_EQ(p.stats().done, static_cast<std::uint64_t>(4 * turns(200)));
}

WEIR_RULE(pool_test, jobs_start_in_the_order_of_submission) {
  std::vector<int> order;
  pool p{{.workers = 1, .queue = 100}};
  for (int i = 0; i < 50; ++i) p.post([&, i] { order.push_back(i); });
  p.wait();
  std::vector<int> expected(50);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(order, expected);
}

WEIR_RULE(pool_test, a_full_queue_blocks_until_there_is_room) {
  pool p{{.workers = 1, .queue = 1}};
  const gate g;
  p.post(g.job());
  (void)g.started.receive();
  p.post([] {});
  std::atomic<bool> in{false};
  crew_.spawn([&] {
    p.post([] {});
    in = true;
  });
  until([&] { return p.stats().submitted == 3; });
  EXPECT_FALSE(in);
  EXPECT_FALSE(p.try_submit([] {}).has_value());
  g.open.send(0);
  crew_.join();
  p.wait();
  const pool_stats s = p.stats();
  EXPECT_EQ(s.done, 3);
  EXPECT_EQ(s.rejected, 1);
  EXPECT_EQ(s.submitted, 4);
}

WEIR_RULE(pool_test, a_blocked_submit_is_released_by_its_context_and_by_close) {
  pool p{{.workers = 1, .queue = 0}};
  const gate g;
  p.post(g.job());
  (void)g.started.receive();
  auto [ctx, cancel] = with_cancel(background());
  crew_.spawn([&, ctx = ctx] {
    EXPECT_EQ(error_of([&] { (void)p.submit(ctx, [] {}); }), errc::cancelled);
  });
  crew_.spawn([&] {
    auto [late, cancel_late] = with_timeout(background(), 10ms);
    EXPECT_EQ(error_of([&] { p.post(late, [] {}); }), errc::deadline_exceeded);
  });
  crew_.spawn([&] { EXPECT_EQ(error_of([&] { p.post([] {}); }), errc::closed); });
  until([&] { return p.stats().depth + p.stats().cancelled == 3; });
  cancel();
  until([&] { return p.stats().cancelled == 2; });
  p.close();
  crew_.join();
  g.open.send(0);
  p.wait();
  EXPECT_EQ(error_of([&] { p.post([] {}); }), errc::closed);
  const pool_stats s = p.stats();
  EXPECT_EQ(s.done, 1);
  EXPECT_EQ(s.cancelled, 2);
  EXPECT_EQ(s.rejected, 2);
  EXPECT_EQ(s.submitted, 5);
}

WEIR_RULE(pool_test, reject_throws_full) {
  pool p{{.workers = 1, .queue = 1, .when_full = when_full::reject}};
  const gate g;
  p.post(g.job());
  (void)g.started.receive();
  auto kept = p.submit([] { return 1; });
  EXPECT_EQ(error_of([&] { (void)p.submit([] { return 2; }); }), errc::full);
  g.open.send(0);
  EXPECT_EQ(kept.get(), 1);
  EXPECT_EQ(p.stats().rejected, 1);
}

WEIR_RULE(pool_test, drop_oldest_and_drop_newest_tell_the_dropped_jobs_future) {
  for (const auto policy : {when_full::drop_oldest, when_full::drop_newest}) {
    pool p{{.workers = 1, .queue = 2, .when_full = policy}};
    const gate g;
    p.post(g.job());
    (void)g.started.receive();
    std::vector<future<int>> all;
    for (int i = 0; i < 3; ++i) all.push_back(p.submit([i] { return i; }));
    g.open.send(0);
    const std::size_t lost = policy == when_full::drop_oldest ? 0 : 2;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i == lost) {
        EXPECT_EQ(error_of([&] { (void)all[i].get(); }), errc::dropped);
      } else {
        EXPECT_EQ(all[i].get(), static_cast<int>(i));
      }
    }
    p.wait();
    EXPECT_EQ(p.stats().dropped, 1);
    EXPECT_EQ(p.stats().done, 3);
  }
}

WEIR_RULE(pool_test, run_in_caller_runs_it_there) {
  pool p{{.workers = 1, .queue = 0, .when_full = when_full::run_in_caller}};
  const gate g;
  p.post(g.job());
  (void)g.started.receive();
  bool ran = false;
  p.post([&] { ran = true; });
  EXPECT_TRUE(ran) << "post returns when it is done";
  g.open.send(0);
  p.wait();
  EXPECT_EQ(p.stats().done, 2);
}

WEIR_RULE(pool_test, a_job_queued_behind_its_waiter_runs) {
  crew_.run([] {
    pool p{{.workers = 1, .queue = 1}};
    auto outer = p.submit([&] { return p.submit([] { return 20; }).get() + 1; });
    EXPECT_EQ(outer.get(), 21);
  });
}

int fib(const pool<>& p, int n) {
  if (n < 2) return n;
  auto a = p.submit([&p, n] { return fib(p, n - 1); });
  auto b = p.submit([&p, n] { return fib(p, n - 2); });
  return a.get() + b.get();
}

WEIR_RULE(pool_test, recursion_on_a_full_pool_ends) {
  for (const int workers : {1, 8}) {
    for (const int queue : {0, 1, 4}) {
      pool p{{.workers = workers, .queue = queue}};
      EXPECT_EQ(p.submit([&] { return fib(p, under_seeds ? 4 : 10); }).get(), under_seeds ? 3 : 55);
    }
  }
}

WEIR_RULE(pool_test, a_chain_of_jobs_in_a_full_pool_is_as_deep_as_it_likes) {
  if (under_seeds || crew_.is_threads()) return;
  crew_.run([] {
    pool p{{.workers = 1, .queue = 0}};
    std::function<void(int)> deeper = [&](int n) {
      if (n > 0) p.post([&, n] { deeper(n - 1); });
    };
    const int depth = turns(20'000);
    p.post([&] { deeper(depth); });
    p.wait();
    EXPECT_EQ(p.stats().done, static_cast<std::uint64_t>(depth + 1));
  });
}

WEIR_RULE(pool_test, a_context_ends_a_queued_job_at_once) {
  pool p{{.workers = 1, .queue = 4}};
  const gate g;
  p.post(g.job());
  (void)g.started.receive();
  auto [ctx, cancel] = with_cancel(background());
  auto f = p.submit(ctx, [] { return 1; });
  cancel();
  EXPECT_EQ(error_of([&] { (void)f.get(); }), errc::cancelled);
  g.open.send(0);
  p.wait();
  EXPECT_EQ(p.stats().cancelled, 1);
}

WEIR_RULE(pool_test, a_job_sees_its_context_end) {
  pool p{{.workers = 2, .queue = 4}};
  auto [ctx, cancel] = with_cancel(background());
  const channel<int> started;
  auto f = p.submit(ctx, [=](const context& own) {
    started.send(0);
    (void)own.done().receive();
    if (own.cancelled()) throw std::system_error(own.error());
  });
  (void)started.receive();
  cancel();
  EXPECT_EQ(error_of([&] { f.get(); }), errc::cancelled);
  auto late = p.submit({.timeout = 5ms}, [](const context& own) { (void)own.done().receive(); });
  EXPECT_EQ(error_of([&] { late.get(); }), errc::deadline_exceeded);
  p.wait();
  EXPECT_EQ(p.stats().cancelled, 1);
  EXPECT_EQ(p.stats().failed, 1);
}

WEIR_RULE(pool_test, fail_fast_cancels_the_rest_with_the_exception_as_the_cause) {
  pool p{{.workers = 1, .queue = 4, .on_error = on_error::fail_fast}};
  const gate g;
  p.post(g.job());
  (void)g.started.receive();
  auto bad = p.submit([]() -> int { throw std::runtime_error("first"); });
  auto rest = p.submit([] { return 1; });
  g.open.send(0);
  EXPECT_THROW((void)bad.get(), std::runtime_error);
  EXPECT_EQ(error_of([&] { (void)rest.get(); }), errc::cancelled);
  EXPECT_TRUE(p.ctx().cancelled());
  EXPECT_THROW(std::rethrow_exception(p.ctx().cause()), std::runtime_error);
  EXPECT_EQ(error_of([&] { p.post([] {}); }), errc::cancelled);
}

WEIR_RULE(pool_test, a_posted_jobs_exception_reaches_the_handler) {
  std::atomic<int> seen{0};
  pool p{{.workers = 1, .queue = 4, .on_uncaught = [&](const std::exception_ptr&) { ++seen; }}};
  p.post([] { throw 1; });
  p.wait();
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(p.stats().failed, 1);
}

WEIR_RULE(pool_test, a_failed_job_is_tried_again_and_holds_no_worker_meanwhile) {
  pool p{{.workers = 1, .queue = 4, .retry = {.attempts = 3, .first = 2ms}}};
  std::atomic<int> tries{0};
  auto f = p.submit([&]() -> int {
    if (++tries < 3) throw std::runtime_error("not yet");
    return tries;
  });
  EXPECT_EQ(p.submit([] { return 5; }).get(), 5);
  EXPECT_EQ(f.get(), 3);
  auto never = p.submit([]() -> int { throw std::runtime_error("never"); });
  EXPECT_THROW((void)never.get(), std::runtime_error);
  p.wait();
  EXPECT_EQ(p.stats().retried, 4);
  EXPECT_EQ(p.stats().failed, 1);
  EXPECT_EQ(p.stats().done, 2);
}

WEIR_RULE(pool_test, a_rate_limits_how_many_start) {
  crew_.run([] {
    const auto begin = std::chrono::steady_clock::now();
    pool p{{.workers = 4, .queue = 100, .rate = token_bucket{1000, 1}}};
    for (int i = 0; i < 11; ++i) p.post([] {});
    p.wait();
    if (!under_seeds) {
      EXPECT_GE(std::chrono::steady_clock::now() - begin, 10ms);
    }
    EXPECT_EQ(p.stats().done, 11);
  });
}

WEIR_RULE(pool_test, the_watchdog_names_a_job_that_is_stuck_once) {
  std::atomic<int> seen{0};
  pool p{{.workers = 2,
          .queue = 4,
          .stuck_after = 4ms,
          .on_stuck = [&](const std::string& who, auto age) {
            EXPECT_GE(age, 4ms);
            // On a busy machine any job may be stuck for a while; under a virtual clock it is not.
            EXPECT_TRUE(who == "slow" || !under_seeds) << who;
            if (who == "slow") ++seen;
          }}};
  p.submit({.name = "quick"}, [] {}).get();
  const gate g;
  p.post({.name = "slow"}, g.job());
  (void)g.started.receive();
  crew_.run([] { weir::sleep_for(40ms); });
  until([&] { return seen == 1; });
  g.open.send(0);
  p.wait();
  EXPECT_EQ(seen, 1);
}

WEIR_RULE(pool_test, short_of_memory_one_job_runs_at_a_time) {
  std::atomic<int> in{0};
  crew_.run([&] {
    // There is never so much: the brake is always on.
    pool p{{.workers = 4, .queue = 100, .brake = {.min_available = std::int64_t{1} << 60}}};
    for (int i = 0; i < 10; ++i) {
      p.post([&] {
        EXPECT_EQ(++in, 1);
        yield();
        --in;
      });
    }
    p.wait();
    EXPECT_EQ(p.stats().done, 10);
  });
}

}  // namespace
