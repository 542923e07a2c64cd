// SPDX-License-Identifier: MIT
// How a pool ends, and how it changes while it runs; its workers, their State and their hooks.
#include "support.hpp"

#include <pthread.h>

#include <mutex>
#include <set>

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(pool_life_test);

/// Holds the pool's workers until it is opened.
struct holdup {
  channel<int> started;
  channel<int> open;
  void hold(const pool<>& p, int workers) const {
    for (int i = 0; i < workers; ++i) {
      p.post({.name = "held"}, [*this] {
        started.send(0);
        (void)open.receive();
      });
    }
    for (int i = 0; i < workers; ++i) (void)started.receive();
  }
  void release() const { open.close(); }
};

WEIR_RULE(pool_life_test, the_destructor_runs_what_is_queued) {
  std::atomic<int> ran{0};
  crew_.run([&] {
    pool p{{.workers = 2, .queue = 50}};
    for (int i = 0; i < 40; ++i) p.post([&] { ++ran; });
  });
  EXPECT_EQ(ran, 40);
}

WEIR_RULE(pool_life_test, the_destructor_of_a_paused_pool_resumes_it) {
  std::atomic<int> ran{0};
  crew_.run([&] {
    pool p{{.workers = 2, .queue = 50}};
    p.pause();
    for (int i = 0; i < 5; ++i) p.post([&] { ++ran; });
    EXPECT_EQ(p.stats().depth, 5);
  });
  EXPECT_EQ(ran, 5);
}

WEIR_RULE(pool_life_test, a_paused_pool_starts_nothing) {
  pool p{{.workers = 1, .queue = 5}};
  p.pause();
  std::atomic<bool> ran{false};
  auto f = p.submit([&] { ran = true; });
  auto [ctx, cancel] = soon();
  EXPECT_FALSE(p.wait(ctx));
  EXPECT_FALSE(ran);
  p.resume();
  f.get();
  EXPECT_TRUE(ran);
}

WEIR_RULE(pool_life_test, close_is_idempotent_and_lets_the_pools_own_jobs_submit) {
  pool p{{.workers = 1, .queue = 5}};
  const holdup h;
  h.hold(p, 1);
  std::atomic<int> ran{0};
  p.post([&] { p.post([&] { ++ran; }); });
  p.close();
  p.close();
  EXPECT_EQ(error_of([&] { p.post([] {}); }), errc::closed);
  EXPECT_EQ(error_of([&] { (void)p.try_submit([] {}); }), errc::closed);
  h.release();
  p.wait();
  EXPECT_EQ(ran, 1);
}

WEIR_RULE(pool_life_test, stop_returns_what_never_ran_and_cancels_what_runs) {
  pool p{{.workers = 1, .queue = 5}};
  const channel<int> started;
  auto running = p.submit({.name = "long"}, [=](const context& ctx) {
    started.send(0);
    (void)ctx.done().receive();
    throw std::system_error(ctx.error());
  });
  (void)started.receive();
  auto a = p.submit({.name = "first"}, [] { return 1; });
  auto b = p.submit({.name = "second"}, [] { return 2; });
  {
    unrun_jobs left = p.stop();
    ASSERT_EQ(left.size(), 2);
    EXPECT_EQ(left.name(0), "first");
    EXPECT_EQ(left.name(1), "second");
    ASSERT_EQ(left.report().still_running.size(), 1);
    EXPECT_EQ(left.report().still_running[0].name, "long");
    EXPECT_FALSE(a.ready());
    left.run(0);
    EXPECT_EQ(a.get(), 1);
    EXPECT_THROW(left.run(0), std::logic_error);
    EXPECT_THROW(left.run(7), std::out_of_range);
  }
  EXPECT_EQ(error_of([&] { (void)b.get(); }), errc::cancelled);
  EXPECT_EQ(error_of([&] { running.get(); }), errc::cancelled);
  EXPECT_TRUE(p.stop().empty()) << "idempotent";
  p.wait();
  EXPECT_EQ(p.stats().cancelled, 3);
}

WEIR_RULE(pool_life_test, unrun_jobs_outlive_their_pool) {
  future<int> f;
  future<bool> g;
  unrun_jobs left;
  auto [ctx, cancel] = with_cancel(background());
  crew_.run([&, ctx = ctx] {
    pool p{{.workers = 1, .queue = 5}};
    p.pause();
    f = p.submit([] { return 7; });
    g = p.submit(ctx, [](const context& own) { return own.cancelled(); });
    left = p.stop();
  });
  EXPECT_FALSE(f.ready());
  left.run(0);
  EXPECT_EQ(f.get(), 7);
  cancel();
  left.run(1);
  EXPECT_TRUE(g.get()) << "it has the context that it was submitted with";
}

WEIR_RULE(pool_life_test, who_waits_from_outside_waits_also_for_a_job_that_waits) {
  crew_.run([] {
    const pool<> p{{.workers = 2}};
    std::atomic<int> ended{0};
    for (int i = 0; i < 2; ++i) {
      p.post([&] {
        p.wait();
        for (int step = 0; step < 3; ++step) yield();
        ++ended;
      });
    }
    p.wait();
    EXPECT_EQ(ended, 2);
  });
}

WEIR_RULE(pool_life_test, jobs_may_wait_for_the_pool_stop_it_and_close_it) {
  crew_.run([] {
    pool p{{.workers = 2, .queue = 20}};
    std::atomic<int> ran{0};
    auto waiter = p.submit([&] {
      for (int i = 0; i < 5; ++i) p.post([&] { ++ran; });
      p.wait();
      return ran.load();
    });
    auto other = p.submit([&] { p.wait(); });
    EXPECT_EQ(waiter.get(), 5);
    other.get();
    p.submit([&] { p.close(); }).get();
    p.wait();
  });
  crew_.run([] {
    pool p{{.workers = 1, .queue = 20}};
    p.submit([&] { EXPECT_TRUE(p.stop().empty()); }).get();
    EXPECT_EQ(error_of([&] { p.post([] {}); }), errc::cancelled);
  });
}

WEIR_RULE(pool_life_test, a_job_may_end_its_pool) {
  auto p = std::make_shared<pool<>>(pool_options{.workers = 2, .queue = 5});
  const channel<int> done{1};
  const channel<int> go_on;
  p->post([=, own = p]() mutable {
    (void)go_on.receive();
    own.reset();  // the last one
    done.send(1);
  });
  p.reset();
  go_on.close();
  EXPECT_EQ(done.receive(), 1);
}

WEIR_RULE(pool_life_test, everybody_may_do_everything_at_once) {
  std::atomic<int> ran{0};
  pool p{{.workers = 2, .queue = 3}};
  for (int i = 0; i < 3; ++i) {
    crew_.spawn([&, i] {
      try {
        for (int k = 0; k < 5; ++k) p.post([&] { ++ran; });
        if (i == 0) p.close();
        if (i == 1) (void)p.stop();
        if (i == 2) p.wait();
      } catch (const std::system_error& e) {
        EXPECT_TRUE(e.code() == errc::closed || e.code() == errc::cancelled) << e.code();
      }
    });
  }
  crew_.spawn([&] {
    p.resize(1);
    p.pause();
    p.resume();
    p.resize(4);
    (void)p.stats();
  });
  crew_.join();
  p.wait();
  const pool_stats s = p.stats();
  EXPECT_EQ(s.done, static_cast<std::uint64_t>(ran));
  EXPECT_EQ(s.submitted, s.done + s.cancelled + s.rejected);
}

WEIR_RULE(pool_life_test, resize_changes_how_many_run) {
  pool p{{.workers = 1, .queue = 20}};
  const holdup h;
  h.hold(p, 1);
  p.resize(3);
  EXPECT_EQ(p.workers(), 3);
  h.hold(p, 2);  // comes back only if two more have started
  EXPECT_EQ(p.stats().running, 3);
  p.resize(1);
  h.release();
  p.wait();
  until([&] { return p.stats().workers == 1; });
  EXPECT_THROW(p.resize(-1), std::invalid_argument);
  p.submit([] {}).get();
}

WEIR_RULE(pool_life_test, hooks_see_each_worker_begin_and_end) {
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};
  crew_.run([&] {
    pool p{{.workers = 3,
            .queue = 9,
            .on_worker_start = [&](int number) { begun += number; },
            .on_worker_stop = [&](int number) { ended += number; }}};
    const holdup h;
    h.hold(p, 3);
    h.release();
  });
  EXPECT_EQ(begun, 1 + 2 + 3);
  EXPECT_EQ(ended, 1 + 2 + 3);
}

WEIR_RULE(pool_life_test, a_start_hook_that_throws_ends_the_pool) {
  pool p{
      {.workers = 1, .queue = 9, .on_worker_start = [](int) { throw std::runtime_error("hook"); }}};
  future<int> f;
  try {
    f = p.submit([] { return 1; });
    EXPECT_EQ(error_of([&] { (void)f.get(); }), errc::cancelled);
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), errc::cancelled);
  }
  until([&] { return p.ctx().cancelled(); });
  EXPECT_THROW(std::rethrow_exception(p.ctx().cause()), std::runtime_error);
}

WEIR_RULE(pool_life_test, a_stop_hook_that_throws_is_told_and_ends_nothing) {
  std::atomic<int> told{0};
  crew_.run([&] {
    const pool p{{.workers = 2,
                  .queue = 9,
                  .on_worker_stop = [](int) { throw std::runtime_error("hook"); },
                  .on_uncaught = [&](const std::exception_ptr&) { ++told; }}};
    const holdup h;
    h.hold(p, 2);
    p.resize(1);
    h.release();
    until([&] { return told == 1; });
    EXPECT_EQ(p.submit([] { return 1; }).get(), 1);
  });
  EXPECT_EQ(told, 2);
}

struct counted_state {
  static inline std::atomic<int> alive{0};
  counted_state() { ++alive; }
  counted_state(const counted_state&) = delete;
  ~counted_state() { --alive; }
  int uses = 0;
};

WEIR_RULE(pool_life_test, each_worker_has_one_state) {
  crew_.run([] {
    pool<counted_state> p{{.workers = 2, .queue = 50}};
    std::atomic<int> most{0};
    for (int i = 0; i < 30; ++i) {
      p.post([&](counted_state& mine) {
        ++mine.uses;  // no lock: it is this worker's
        if (counted_state::alive > most) most = counted_state::alive.load();
      });
    }
    EXPECT_EQ(p.submit([](const context& ctx, counted_state&) { return ctx.cancelled(); }).get(),
              false);
    EXPECT_EQ(p.submit([] { return 3; }).get(), 3) << "a job may do without";
    p.wait();
    EXPECT_LE(most, 2);
  });
  EXPECT_EQ(counted_state::alive, 0);
}

WEIR_RULE(pool_life_test, a_state_that_can_not_be_made_ends_the_pool) {
  crew_.run([] {
    pool<std::string> p{{.workers = 1, .queue = 5},
                        []() -> std::string { throw std::runtime_error("no connection"); }};
    try {
      auto f = p.submit([](std::string& s) { return s.size(); });
      EXPECT_EQ(error_of([&] { (void)f.get(); }), errc::cancelled);
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code(), errc::cancelled);
    }
    EXPECT_THROW(std::rethrow_exception(p.ctx().cause()), std::runtime_error);
  });
}

WEIR_RULE(pool_life_test, its_parent_context_cancels_it) {
  auto [ctx, cancel] = with_cancel(background());
  pool p{ctx, {.workers = 1, .queue = 5}};
  p.pause();
  auto f = p.submit([] { return 1; });
  cancel();
  EXPECT_EQ(error_of([&] { (void)f.get(); }), errc::cancelled);
  EXPECT_EQ(error_of([&] { p.post([] {}); }), errc::cancelled);
  p.wait();
  EXPECT_EQ(p.stats().cancelled, 2);
}

WEIR_RULE(pool_life_test, low_priorities_are_passed_over_but_not_for_ever) {
  pool p{{.workers = 1, .queue = 100}};
  p.pause();
  std::vector<char> order;
  const auto put = [&](priority how, char c) {
    p.post({.priority = how}, [&, c] { order.push_back(c); });
  };
  put(priority::low, 'l');
  for (int i = 0; i < 40; ++i) put(priority::high, 'h');
  put(priority::normal, 'n');
  p.resume();
  p.wait();
  ASSERT_EQ(order.size(), 42);
  EXPECT_EQ(order[0], 'h');
  const auto low = std::find(order.begin(), order.end(), 'l') - order.begin();
  EXPECT_GE(low, 16);
  EXPECT_LE(low, 18) << "aged: it is next after sixteen others";
}

WEIR_RULE(pool_life_test, a_budget_bounds_what_runs_at_once) {
  pool p{{.workers = 4, .queue = 50, .budget = {.memory = 64_MiB}}};
  std::atomic<std::int64_t> used{0};
  std::atomic<std::int64_t> most{0};
  for (int i = 0; i < 20; ++i) {
    const std::int64_t mine = (i % 3 == 0 ? 48 : 16) * 1_MiB;
    p.post({.cost = {.memory = mine}}, [&, mine] {
      const std::int64_t now = used += mine;
      for (std::int64_t m = most; now > m && !most.compare_exchange_weak(m, now);) {
      }
      yield();
      used -= mine;
    });
  }
  p.wait();
  EXPECT_LE(most, 64_MiB);
  EXPECT_EQ(p.stats().done, 20);
  EXPECT_THROW((void)p.submit(cost{.memory = 65_MiB}, [] {}), std::invalid_argument);
}

WEIR_RULE(pool_life_test, a_queue_may_be_bounded_by_cost) {
  pool p{{.workers = 1, .queue = 50, .queue_cost = {.units = 10}, .when_full = when_full::reject}};
  const holdup h;
  h.hold(p, 1);
  p.post({.cost = {.units = 6}}, [] {});
  EXPECT_EQ(error_of([&] { p.post({.cost = {.units = 5}}, [] {}); }), errc::full);
  p.post({.cost = {.units = 4}}, [] {});
  h.release();
  p.wait();
  EXPECT_EQ(p.stats().done, 3);
}

WEIR_RULE(pool_life_test, futures_can_be_waited_for_together_and_in_select) {
  crew_.run([] {
    pool p{{.workers = 2, .queue = 9}};
    const channel<int> open;
    std::vector<future<int>> all;
    all.push_back(p.submit([=] {
      (void)open.receive();
      return 1;
    }));
    all.push_back(p.submit([] { return 2; }));
    const auto first = wait_any(all);
    EXPECT_EQ(first - all.begin(), 1);
    EXPECT_FALSE(all[0].wait_for(1ms));
    auto [ctx, cancel] = soon();
    EXPECT_FALSE(wait_all(ctx, all));
    EXPECT_EQ(select(on_ready(all[0]), otherwise()), 1);
    open.close();
    EXPECT_EQ(select(on_ready(all[0]), on_done(background())), 0);
    wait_all(all);
    EXPECT_EQ(all[0].get() + all[1].get(), 3);
  });
}

TEST(pool_host_test, threads_are_threads_with_names_and_places) {
  const int cpu = sched_getcpu();  // one that we may use
  pool p{{.workers = 2, .queue = 9, .host = host::threads, .affinity = {cpu}, .name = "crew"}};
  auto name = p.submit([] {
    EXPECT_EQ(this_task::id(), 0) << "no task";
    char buffer[16] = {};
    until([&] {  // whoever starts the thread names it, a moment later
      pthread_getname_np(pthread_self(), buffer, sizeof buffer);
      return std::string_view(buffer).starts_with("crew ");
    });
    return std::string(buffer);
  });
  EXPECT_TRUE(name.get().starts_with("crew "));
  auto f = p.submit([] { return sched_getcpu(); });
  EXPECT_EQ(f.get(), cpu);
}

TEST(pool_options_test, what_makes_no_sense_is_named) {
  const auto message = [](pool_options o) {
    return refusal([&] { const pool<> p{std::move(o)}; });
  };
  EXPECT_NE(message({.workers = -1}).find("workers -1"), std::string::npos);
  EXPECT_NE(message({.workers = std::int64_t{1} << 62}).find("workers"), std::string::npos);
  EXPECT_NE(message({.workers = adaptive{.min = 5, .max = 2}}).find("adaptive"), std::string::npos);
  EXPECT_NE(message({.queue = -3}).find("queue -3"), std::string::npos);
  EXPECT_NE(message({.queue = std::numeric_limits<std::int64_t>::max()}).find("queue"),
            std::string::npos);
  EXPECT_NE(message({.timeout = -1s}).find("timeout"), std::string::npos);
  EXPECT_NE(message({.retry = {.attempts = 0}}).find("retry.attempts 0"), std::string::npos);
  EXPECT_NE(message({.retry = {.factor = 0.5}}).find("retry.factor"), std::string::npos);
  EXPECT_NE(message({.affinity = {1}}).find("affinity"), std::string::npos);
  EXPECT_EQ(message({}), "");
}

}  // namespace
