// SPDX-License-Identifier: MIT
// A pool whose last handle ends in one of its own workers, at whatever place: it waits for the
// others, and not for itself. And who is late finds nothing that is gone.
#include <atomic>
#include <fstream>
#include <memory>
#include <vector>

#include <weir/pool_coroutine.hpp>

#include "pool/hold_worker.hpp"
#include "support.hpp"

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(pool_last_handle_test);

[[noreturn]] void fail() { throw std::runtime_error("of the job"); }

/// A pool whose end is counted, and whose jobs may fail.
std::shared_ptr<pool<>> make_pool(pool_options options, const wait_group& ended) {
  options.on_uncaught = [](const std::exception_ptr&) {};
  ended.add();
  return {new pool<>{std::move(options)}, [ended](pool<>* p) {
            delete p;
            ended.done();
          }};
}

WEIR_RULE(pool_last_handle_test, a_failure_drops_a_queued_job_that_holds_it) {
  crew_.run([] {
    const wait_group ended;
    {
      auto p = make_pool({.workers = 1, .on_error = on_error::fail_fast}, ended);
      p->post([] { yield(), fail(); });
      try {
        p->post([p] {});
      } catch (const std::system_error&) {  // it had failed before
      }
    }
    ended.wait();
  });
}

WEIR_RULE(pool_last_handle_test, a_job_that_is_not_tried_again_holds_it) {
  crew_.run([] {
    const wait_group ended;
    {
      auto p = make_pool({.workers = 1}, ended);
      p->post({.retry = {.attempts = 2,
                         .first = 0ms,
                         .retry_if =
                             [p = p.get()](const std::exception_ptr&) {
                               (void)p->stop();
                               return true;
                             }}},
              [p] { fail(); });
    }
    ended.wait();
  });
}

WEIR_RULE(pool_last_handle_test, a_result_that_nobody_takes_holds_it) {
  crew_.run([] {
    const wait_group ended;
    {
      auto p = make_pool({.workers = 1}, ended);
      (void)p->submit([p] { return p; });
    }
    ended.wait();
  });
}

WEIR_RULE(pool_last_handle_test, a_question_about_a_retry_holds_it) {
  crew_.run([] {
    const wait_group ended;
    {
      auto p = make_pool({.workers = 1}, ended);
      p->post({.retry = {.attempts = 2, .retry_if = [p](const auto&) { return false; }}}, [] {});
    }
    ended.wait();
  });
}

WEIR_RULE(pool_last_handle_test, a_worker_that_can_not_start_drops_a_job_that_holds_it) {
  crew_.run([] {
    const wait_group ended;
    {
      auto p = make_pool({.workers = 1, .on_worker_start = [](int) { fail(); }}, ended);
      p->post([p] {});
    }
    ended.wait();
  });
}

WEIR_RULE(pool_last_handle_test, a_result_holds_it_and_the_worker_has_the_next_job_already) {
  crew_.run([] {
    const wait_group ended;
    std::atomic<int> ran{0};
    {
      auto p = make_pool({.workers = 1}, ended);
      (void)p->submit([p] {
        yield();
        return p;
      });
      p->post([&] { ++ran; });
      p->post({.name = "last"}, [&] { ++ran; });
    }
    ended.wait();
    EXPECT_EQ(ran, 2);
  });
}

WEIR_RULE(pool_last_handle_test, a_result_holds_it_and_a_job_waits_for_its_next_attempt) {
  crew_.run([] {
    const wait_group ended;
    std::atomic<int> runs{0};
    {
      auto p = make_pool({.workers = 1}, ended);
      p->post({.retry = {.attempts = 2, .first = 1ms}}, [&] {
        if (++runs == 1) fail();
      });
      (void)p->submit([p] { return p; });
    }
    ended.wait();
    EXPECT_EQ(runs, 2);
  });
}

WEIR_RULE(pool_last_handle_test, who_waits_for_all_waits_until_what_is_cancelled_has_ended) {
  crew_.run([] {
    const auto all = with_cancel(background());
    const auto own = with_cancel(background());
    const auto held = std::make_shared<int>();
    const pool p{all.ctx, {.workers = 1}};
    const channel<int> open = hold_worker(p);
    p.post(own.ctx, [held] {});
    p.post([held] {});
    go([=] {
      own.cancel();
      all.cancel();
      open.close();
    });
    p.wait();
    EXPECT_EQ(held.use_count(), 1);
  });
}

/// Something whose end does that.
template <class F>
std::shared_ptr<void> at_its_end(F f) {
  return {nullptr, [f](void*) { f(); }};
}

WEIR_RULE(pool_last_handle_test, what_is_cancelled_in_a_paused_pool_may_wait_for_all_the_others) {
  crew_.run([] {
    const auto all = with_cancel(background());
    const pool p{all.ctx, {.workers = 1}};
    p.pause();
    p.post([held = at_its_end([&p] { p.wait(); })] {});
    p.post([] {});
    all.cancel();
    p.wait();
    EXPECT_EQ(p.stats().cancelled, 2U);
  });
}

WEIR_RULE(pool_last_handle_test, what_ends_between_two_jobs_may_submit_one_that_waits_for_all) {
  crew_.run([] {
    std::atomic<int> ran{0};
    const pool p{{.workers = 1, .queue = 1}};
    (void)p.submit([&] {
      yield();
      return at_its_end([&] {
        p.post([&] {
          p.wait();
          ++ran;
        });
      });
    });
    p.post([&] { ++ran; });
    p.post({.name = "last"}, [&] { ++ran; });
    while (ran < 3) yield();
  });
}

struct cannot_be_made {
  cannot_be_made() { fail(); }
};

WEIR_RULE(pool_last_handle_test, a_callers_state_that_can_not_be_made_drops_a_job_that_holds_it) {
  crew_.run([] {
    const wait_group ended;
    ended.add();
    using state_pool = pool<cannot_be_made>;
    pool_options full{.workers = 1,
                      .queue = 0,
                      .when_full = when_full::run_in_caller,
                      .on_uncaught = [](const std::exception_ptr&) {}};
    std::shared_ptr<state_pool> p(new state_pool{std::move(full)}, [ended](state_pool* last) {
      delete last;
      ended.done();
    });
    p->pause();  // so there is no room
    try {
      state_pool& pool_itself = *p;
      pool_itself.post([mine = std::move(p)](cannot_be_made&) {});
    } catch (const std::system_error&) {
    }
    ended.wait();
  });
}

WEIR_RULE(pool_last_handle_test, a_submitter_that_a_stop_releases_may_come_back_after_its_end) {
  crew_.run([] {
    const wait_group submitter;
    {
      const auto p = std::make_unique<pool<>>(pool_options{.workers = 1, .queue = 1});
      const channel<int> open = hold_worker(*p);
      p->post([] {});
      submitter.go([p = p.get()] { EXPECT_THROW(p->post([] {}), std::system_error); });
      while (p->stats().depth < 2) yield();
      { const auto unrun = p->stop(); }
      open.close();
    }
    submitter.wait();
  });
}

WEIR_RULE(pool_last_handle_test, without_a_queue_a_job_that_waits_for_the_others_runs_them) {
  crew_.run([] {
    for (const int workers : {1, 2}) {
      const pool p{{.workers = workers, .queue = 0}};
      const channel<int> begun;
      p.post([&] {
        begun.send(1);
        p.wait();
      });
      (void)begun.receive();
      p.post([] {});
      p.wait();
      EXPECT_EQ(p.stats().done, 2U);
    }
  });
}

WEIR_RULE(pool_last_handle_test, a_stop_of_a_paused_pool_leaves_no_job_behind) {
  crew_.run([] {
    const pool p{{.workers = 1}};
    const channel<int> begun;
    std::atomic<bool> refused{false};
    p.post([&] {
      begun.send(1);
      try {
        for (;;) {
          p.post([] {});
          yield();
        }
      } catch (const std::system_error& e) {
        refused = e.code() == errc::cancelled;
      }
    });
    (void)begun.receive();
    p.pause();
    { const auto unrun = p.stop(); }
    p.wait();
    EXPECT_TRUE(refused);
  });
}

WEIR_RULE(pool_last_handle_test, what_is_cancelled_between_two_attempts_keeps_nothing) {
  crew_.run([] {
    const auto held = std::make_shared<int>();
    const pool p{{.workers = 1}};
    const auto own = with_cancel(background());
    {
      auto f = p.submit(own.ctx, {.retry = {.attempts = 2, .first = 24h, .max = 24h}},
                        [held] { fail(); });
      while (p.stats().retried == 0) yield();
      own.cancel();
      EXPECT_THROW(f.get(), std::system_error);
    }
    while (held.use_count() > 1) yield();  // whoever was at it is about to let go
  });
}

WEIR_RULE(pool_last_handle_test, wait_any_runs_no_more_than_it_has_to) {
  crew_.run([] {
    const pool p{{.workers = 1}};
    const int first = p.submit([&] {
                         std::vector<future<void>> two;
                         std::atomic<int> runs{0};
                         for (int i = 0; i < 2; ++i) two.push_back(p.submit([&] { ++runs; }));
                         const auto at = wait_any(two);
                         EXPECT_EQ(runs, 1);
                         wait_all(two);
                         return static_cast<int>(at - two.begin());
                       }).get();
    EXPECT_EQ(first, 0);
  });
}

TEST(pool_last_handle, a_static_pool_does_not_keep_the_process_from_ending) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        static const pool p{{.workers = 2}};
        static const wait_group none;
        p.submit([] {}).wait();
        p.post([] { weir::sleep_for(1h); });
        std::exit(0);
      },
      testing::ExitedWithCode(0), "");
}

detached slow_piece(const pool<>& p, channel<int> out) {
  co_await p.schedule();
  compute_for(30ms);
  out.send(1);
}

TEST(pool_last_handle, a_scheduled_coroutine_is_resumed_once_whatever_the_pool_tries_again) {
  const pool p{{.workers = 1,
                .timeout = 1ms,
                .retry = {.attempts = 3, .first = 0ms},
                .on_uncaught = [](const std::exception_ptr&) {}}};
  const channel<int> out{1};
  slow_piece(p, out);
  EXPECT_EQ(out.receive(), 1);
  p.wait();
  EXPECT_EQ(p.stats().retried, 0U);
}

std::size_t mapped_pages() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages;
}

TEST(pool_last_handle, threads_that_a_resize_was_too_many_are_joined) {
  constexpr int more = 3;
  const pool p{{.workers = 1, .host = host::threads}};
  std::size_t before = 0;
  for (int round = 0; round < 40; ++round) {
    p.resize(1 + more);
    const wait_group all;
    all.add(1 + more);
    for (int i = 0; i < 1 + more; ++i) {
      p.post([all] {
        all.done();
        all.wait();
      });
    }
    p.wait();
    p.resize(1);
    until([&] { return p.stats().workers == 1; });
    if (round == 20) before = mapped_pages();
  }
  constexpr std::size_t pages_of_a_stack = 2048;  // 8 MiB
  EXPECT_LT(mapped_pages(), before + 19 * more * pages_of_a_stack / 2);
}

}  // namespace
