// SPDX-License-Identifier: MIT
// Where a pool is at the end of its range: no queue, retries beside stops, budgets beside waits.
#include <atomic>
#include <vector>

#include "pool/hold_worker.hpp"
#include "support.hpp"

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(pool_rare_test);

[[noreturn]] void fail() { throw std::runtime_error("of the job"); }

WEIR_RULE(pool_rare_test, without_a_queue_a_worker_that_comes_free_is_room) {
  crew_.run([] {
    const pool p{{.workers = 1, .queue = 0}};
    for (int i = 0; i < 5; ++i) p.post([] {});
    p.wait();
    EXPECT_EQ(p.stats().done, 5U);
    int seen = 0;
    for ([[maybe_unused]] int v : process(background(), std::vector{1, 2, 3},
                                          {.workers = 1, .queue = 0}, [](int i) { return i; })) {
      ++seen;
    }
    EXPECT_EQ(seen, 3);
  });
}

WEIR_RULE(pool_rare_test, a_stop_may_take_a_job_between_two_attempts) {
  crew_.run([] {
    const pool p{{.workers = 2,
                  .retry = {.attempts = 2, .first = 1us, .jitter = 0},
                  .on_uncaught = [](const std::exception_ptr&) {}}};
    for (int i = 0; i < 4; ++i) p.post(fail);
    { const auto unrun = p.stop(); }
    p.wait();
    const pool_stats s = p.stats();
    EXPECT_EQ(s.failed + s.cancelled, 4U);
  });
}

WEIR_RULE(pool_rare_test, after_a_stop_nothing_is_tried_again) {
  crew_.run([] {
    const pool p{{.workers = 1}};
    const channel<int> asked;
    const channel<int> answer;
    auto f = p.submit({.retry = {.attempts = 3,
                                 .first = 24h,
                                 .retry_if =
                                     [=](const std::exception_ptr&) {
                                       asked.send(1);
                                       (void)answer.receive();
                                       return true;
                                     }}},
                      fail);
    (void)asked.receive();
    EXPECT_TRUE(p.stop().empty());
    answer.send(1);
    p.wait();
    EXPECT_THROW(f.get(), std::system_error);
  });
}

/// In the only worker of a pool: submits a job that fails at first, and waits for it. What comes
/// after `pause` may be there again before the wait has begun.
template <class Submit, class Wait>
void expect_to_run_what_is_tried_again(Submit submit, Wait wait) {
  for (const auto pause : {0ms, 1ms}) {
    const pool p{{.workers = 1}};
    const int got = p.submit([&] {
                       const job_options twice{.retry = {.attempts = 2, .first = pause}};
                       future<int> f = submit(p, twice, [n = 0]() mutable {
                         if (n++ == 0) fail();
                         return 7;
                       });
                       wait(f);
                       return f.get();
                     }).get();
    EXPECT_EQ(got, 7);
  }
}

const auto submit_twice = [](const pool<>& p, job_options o, auto f) {
  return p.submit(std::move(o), std::move(f));
};

WEIR_RULE(pool_rare_test, a_job_that_waits_for_one_that_is_tried_again_runs_that_as_well) {
  crew_.run([] { expect_to_run_what_is_tried_again(submit_twice, [](auto& f) { f.wait(); }); });
}

WEIR_RULE(pool_rare_test, who_waits_with_a_context_for_a_job_that_has_one_runs_the_next_attempt) {
  crew_.run([] {
    const auto mine = with_cancel(background());
    const auto its = with_cancel(background());
    expect_to_run_what_is_tried_again(
        [&](const pool<>& p, job_options o, auto f) {
          return p.submit(its.ctx, std::move(o), std::move(f));
        },
        [&](auto& f) { EXPECT_TRUE(f.wait(mine.ctx)); });
  });
}

WEIR_RULE(pool_rare_test, who_waits_for_any_of_several_runs_the_next_attempt) {
  crew_.run([] {
    const pool other{{.workers = 1}};
    expect_to_run_what_is_tried_again(submit_twice, [&](auto& f) {
      const channel<int> open;
      std::vector<future<int>> both;
      both.push_back(other.submit([=] { return open.receive().value_or(0); }));
      both.push_back(std::move(f));
      EXPECT_EQ(wait_any(both) - both.begin(), 1);
      f = std::move(both.back());
      open.close();
    });
  });
}

int depth_below(const pool<>& p, int n) {
  return n == 0 ? 0 : 1 + p.submit([&p, n] { return depth_below(p, n - 1); }).get();
}

TEST(pool_rare, recursion_is_bounded_by_no_stack_neither_a_tasks_nor_a_threads) {
  constexpr int deep = sanitized ? 5'000 : 20'000;  // a sanitizer's frames are larger
  for (const host h : {host::tasks, host::threads}) {
    const pool p{{.workers = 1, .host = h}};
    EXPECT_EQ(depth_below(p, deep), deep);
  }
}

TEST(pool_rare, from_outside_a_job_with_retries_is_one_case_of_a_wait_for_any) {
  constexpr std::size_t more_than_half_of_what_a_select_takes = 40'000;
  const pool p{{.workers = 1, .queue = more_than_half_of_what_a_select_takes}};
  p.pause();
  std::vector<future<void>> all;
  for (std::size_t i = 0; i < more_than_half_of_what_a_select_takes; ++i) {
    all.push_back(p.submit({.retry = {.attempts = 2}}, [] {}));
  }
  go([p = &p] { p->resume(); });
  EXPECT_TRUE(wait_any(all)->ready());
}

TEST(pool_rare, a_job_is_tried_again_also_if_the_runtime_of_who_ran_it_has_ended) {
  const pool p{{.workers = 1, .queue = 1, .when_full = when_full::run_in_caller}};
  const channel<int> open = hold_worker(p);
  p.post([] {});  // now it is full
  std::atomic<int> runs{0};
  future<int> f;
  {
    runtime other{{.carriers = 1}};
    f = other.run([&] {
      const job_options twice{.retry = {.attempts = 2, .first = 50ms, .jitter = 0}};
      return p.submit(twice, [&] {
        if (++runs == 1) fail();
        return 7;
      });
    });
    EXPECT_EQ(runs, 1) << "it was to run in its caller";
  }
  open.close();
  EXPECT_TRUE(f.wait_for(20s));
  (void)p.stop();  // nothing, if all is well
  EXPECT_EQ(runs, 2);
}

TEST(pool_rare, a_job_whose_context_ends_between_two_attempts_is_over) {
  const pool p{{.workers = 1}};
  const auto own = with_cancel(background());
  const auto limit = with_timeout(background(), 20s);
  std::atomic<bool> ran{false};
  auto f = p.submit(own.ctx, {.retry = {.attempts = 2, .first = 24h, .max = 24h}}, [&] {
    ran = true;
    fail();
  });
  until([&] { return ran && p.stats().running == 0; });
  own.cancel();
  EXPECT_TRUE(f.wait(limit.ctx));
  EXPECT_EQ(p.stats().cancelled, 1U);
  p.close();
  EXPECT_TRUE(p.wait(limit.ctx));
}

WEIR_RULE(pool_rare_test, a_job_whose_context_ends_as_it_fails_is_over_in_a_paused_pool_as_well) {
  crew_.run([] {
    const pool p{{.workers = 1}};
    const auto own = with_cancel(background());
    const retry_policy again{.attempts = 2, .first = 0ms, .retry_if = [&](const auto&) {
                               p.pause();
                               own.cancel();
                               return true;
                             }};
    auto f = p.submit(own.ctx, {.retry = again}, fail);
    EXPECT_THROW(f.get(), std::system_error);
    EXPECT_EQ(p.stats().cancelled, 1U);
  });
}

WEIR_RULE(pool_rare_test, what_drop_oldest_drops_says_so_also_if_that_made_no_room) {
  crew_.run([] {
    const pool p{{.workers = 2, .queue = 1, .when_full = when_full::drop_oldest}};
    const channel<int> begun;
    const channel<int> go_on;
    for (int i = 0; i < 2; ++i) {
      p.post([=] {
        begun.send(1);
        (void)go_on.receive();
      });
    }
    for (int i = 0; i < 2; ++i) (void)begun.receive();
    auto first = p.submit([] {});
    auto second = p.submit([] {});
    EXPECT_THROW(first.get(), std::system_error);
    p.pause();
    auto third = p.submit([] {});
    EXPECT_THROW(second.get(), std::system_error);
    p.resume();
    go_on.close();
    third.get();
    EXPECT_EQ(p.stats().dropped, 2U);
  });
}

WEIR_RULE(pool_rare_test, drop_oldest_drops_one_for_one_also_if_retries_have_all_the_places) {
  crew_.run([] {
    const pool p{{.workers = 1, .queue = 2, .when_full = when_full::drop_oldest}};
    const channel<int> begun;
    const channel<int> open;
    const retry_policy tomorrow{.attempts = 2, .first = 24h, .max = 24h};
    p.post({.retry = tomorrow}, [=] {
      begun.send(1);
      (void)open.receive();
      fail();
    });
    (void)begun.receive();
    p.pause();
    auto first = p.submit([] {});
    auto second = p.submit([] {});
    open.close();
    while (p.stats().retried == 0) yield();
    auto third = p.submit([] {});
    EXPECT_EQ(p.stats().dropped, 1U);
    p.resume();
    EXPECT_THROW(first.get(), std::system_error);
    second.get();
    third.get();
    (void)p.stop();
  });
}

WEIR_RULE(pool_rare_test, a_wait_with_a_context_ends_with_it_also_for_a_job_that_has_its_own) {
  crew_.run([] {
    const pool p{{.workers = 1}};
    const channel<int> go_on;
    auto own = with_cancel(background());
    auto f = p.submit(own.ctx, [=] { (void)go_on.receive(); });
    auto limit = with_timeout(background(), 5ms);
    EXPECT_FALSE(f.wait(limit.ctx));
    go_on.close();
    f.get();
  });
}

WEIR_RULE(pool_rare_test, a_jobs_context_has_the_values_of_the_one_it_was_submitted_with) {
  crew_.run([] {
    const pool p{{.workers = 1}};
    const auto ctx = with_value(background(), std::string("who"), 42);
    EXPECT_EQ(p.submit(ctx,
                       [](const context& c) {
                         const int* v = c.value<int>(std::string("who"));
                         return v != nullptr ? *v : 0;
                       })
                  .get(),
              42);
  });
}

WEIR_RULE(pool_rare_test, a_job_that_waits_for_the_others_lends_them_its_budget) {
  crew_.run([] {
    const pool p{{.workers = 2, .budget = {.units = 1}}};
    const job_options one{.cost = {.units = 1}};
    p.submit(one, [&] {
       p.post(one, [] {});
       p.wait();
     }).get();
    EXPECT_EQ(p.stats().done, 2U);
  });
}

WEIR_RULE(pool_rare_test, a_job_may_hold_the_last_handle_of_its_pool) {
  crew_.run([] {
    const channel<int> go_on;
    const wait_group gone;
    gone.add();
    auto p = std::shared_ptr<pool<>>(new pool<>{{.workers = 2}}, [=](pool<>* last) {
      delete last;
      gone.done();
    });
    p->post([p, go_on] { (void)go_on.receive(); });
    p.reset();
    go_on.close();
    gone.wait();
  });
}

struct alignas(64) wide {
  char bytes[64] = {};
};

TEST(alignment_test, a_job_has_the_alignment_that_its_function_wants) {
  const pool p{{.workers = 1}};
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(p.submit([w = wide()] {
                   const auto* volatile at = w.bytes;  // or the compiler knows the answer
                   return reinterpret_cast<std::uintptr_t>(at) % 64 == 0;
                 }).get());
  }
}

/// All workers of the pool have been started, and wait for jobs.
void let_all_be_idle(const pool<>& p, int workers) {
  const channel<int> gate;
  const wait_group inside;
  inside.add(workers);
  for (int i = 0; i < workers;) {
    const auto taken = p.try_submit([=] {
      inside.done();
      (void)gate.receive();
    });
    taken ? void(++i) : yield();
  }
  inside.wait();
  gate.close();
  p.wait();
  while (p.stats().idle < static_cast<std::uint64_t>(workers)) yield();
}

/// How many of so many jobs that wait for each other the pool takes.
int taken_of(const pool<>& p, int jobs, cost c) {
  const channel<int> gate;
  int taken = 0;
  for (int i = 0; i < jobs; ++i) {
    if (p.try_submit({.cost = c}, [=] { (void)gate.receive(); })) ++taken;
  }
  gate.close();
  p.wait();
  return taken;
}

WEIR_RULE(pool_rare_test, whoever_is_idle_takes_what_the_queues_cost_has_no_room_for) {
  crew_.run([] {
    const pool p{{.workers = 4, .queue = 16, .queue_cost = {.units = 1}}};
    let_all_be_idle(p, 4);
    EXPECT_EQ(taken_of(p, 4, {.units = 1}), 4);
  });
}

WEIR_RULE(pool_rare_test, whoever_is_idle_takes_what_waiting_retries_leave_no_room_for) {
  crew_.run([] {
    const pool p{{.workers = 4, .queue = 2, .on_uncaught = [](const std::exception_ptr&) {}}};
    let_all_be_idle(p, 4);
    const channel<int> gate;
    p.post({.retry = {.attempts = 2, .first = 1h, .jitter = 0}}, fail);
    while (p.stats().retried < 1 || p.stats().idle < 4) yield();
    int taken = 0;
    for (int i = 0; i < 4; ++i) {
      if (p.try_submit([=] { (void)gate.receive(); })) ++taken;
    }
    gate.close();
    EXPECT_EQ(taken, 4);
    const auto unrun = p.stop();
    p.wait();
  });
}

WEIR_RULE(pool_rare_test, a_future_may_be_asked_while_its_pool_is_stopped_and_goes) {
  for (int i = 0; i < turns(50); ++i) {
    auto p = std::make_unique<pool<>>(pool_options{.workers = 1, .queue = 8});
    p->pause();
    auto f = p->submit([] { return 1; });
    crew_.spawn([f = std::make_shared<future<int>>(std::move(f))] {
      try {
        EXPECT_EQ(f->get(), 1);
      } catch (const std::system_error& e) {
        EXPECT_EQ(e.code(), errc::cancelled);
      }
    });
    { const auto unrun = p->stop(); }
    p.reset();
  }
  crew_.join();
}

WEIR_RULE(pool_rare_test, what_a_job_was_given_is_gone_before_the_next_one_begins) {
  crew_.run([] {
    const pool p{{.workers = 1, .queue = 4}};
    const channel<int> hold;
    auto held = std::make_shared<int>(1);
    const std::weak_ptr<int> seen = held;
    p.post([=] { (void)hold.receive(); });  // so that both are queued, and follow each other
    p.post(with_value(background(), std::string("key"), held), [held] {});
    held.reset();
    bool was_gone = false;
    p.post([&] { was_gone = seen.expired(); });
    hold.close();
    p.wait();
    EXPECT_TRUE(was_gone);
  });
}

}  // namespace
