// SPDX-License-Identifier: MIT
// Rules of Go for sleep, timers and tickers, word by word; the numbers are those of
// docs/semantics.md. Exact where the time is virtual, "not earlier" where it is real. What happens
// when several tasks use one timer at once is in timer_rules_test.cpp.
#include "support.hpp"

#include <sys/prctl.h>

#include <mutex>

namespace {

using namespace weir_test;
using namespace weir;
using clock = context::clock;

WEIR_RULES(sleep_test);
WEIR_RULES(timer_test);
WEIR_RULES(ticker_test);

clock::time_point now() { return detail::time_after(clock::duration::zero()); }

/// Returns after `d`, and after everything that was to fire here before has.
void let_pass(clock::duration d) { (void)timer(d).channel().receive(); }

// ---- sleep --------------------------------------------------------------------------------------

TEST(sleep_slack, what_a_task_starts_inherits_the_slack_that_its_thread_had) {
  const int mine = prctl(PR_GET_TIMERSLACK);
  runtime rt{{.carriers = 1}};
  std::atomic<int> after{0};
  rt.go([&] {
    for (int i = 0; i < 3; ++i) weir::sleep_for(2ms);  // the carrier sleeps without any
    after = prctl(PR_GET_TIMERSLACK);
  });
  EXPECT_TRUE(rt.shutdown());
  EXPECT_EQ(after, mine);
}

TEST(sleep_clock_test, virtual_sleep_takes_exactly_as_long_as_asked) {
  on_virtual_time([] {
    const auto start = now();
    weir::sleep_for(36h);
    EXPECT_EQ(now() - start, 36h);
  });
}

WEIR_RULE(sleep_test, a_sleep_is_never_short) {
  for (int i = 0; i < 4; ++i) {
    crew_.spawn([i] {
      const auto start = now();
      weir::sleep_for(i * 5ms);
      EXPECT_GE(now() - start, i * 5ms);
      weir::sleep_until(start + 20ms);
      EXPECT_GE(now() - start, 20ms);
    });
  }
  crew_.join();
}

WEIR_RULE(sleep_test, a_context_ends_a_sleep) {
  const auto [ctx, cancel] = with_cancel(background());
  const auto [late, cancel_late] = with_timeout(background(), 1h);
  for (int i = 0; i < 3; ++i) {
    crew_.spawn([ctx = ctx, late = late] {
      EXPECT_FALSE(weir::sleep_for(ctx, 1000h));
      EXPECT_FALSE(weir::sleep_for(ctx, -1h)) << "it is looked at first";
      EXPECT_FALSE(weir::sleep_until(ctx, clock::time_point()));
      const auto start = now();
      EXPECT_TRUE(weir::sleep_for(late, 2ms));
      EXPECT_GE(now() - start, 2ms);
    });
  }
  crew_.spawn([cancel = cancel] { cancel(); });
  crew_.join();
}

WEIR_RULE(sleep_test, a_sleep_that_is_over_is_told_from_one_that_was_ended) {
  crew_.run([] {
    const auto [ctx, cancel] = with_cancel(background());
    EXPECT_TRUE(weir::sleep_for(ctx, 0s));
    EXPECT_TRUE(weir::sleep_for(ctx, std::chrono::nanoseconds::min()));
    EXPECT_TRUE(weir::sleep_until(ctx, clock::time_point::min()));
    EXPECT_TRUE(weir::sleep_for(background(), 1ms));
    EXPECT_FALSE(weir::sleep_for(soon().ctx, std::chrono::hours::max()));
  });
}

WEIR_RULE(sleep_test, r94_zero_and_negative_return_at_once_and_huge_does_not_overflow) {
  crew_.run([] {
    const auto start = now();
    weir::sleep_for(0s);
    weir::sleep_for(-1h);
    weir::sleep_for(std::chrono::nanoseconds::min());
    weir::sleep_until(clock::time_point());
    if (under_seeds) {
      EXPECT_EQ(now(), start);
    }
    for (const auto huge : {std::chrono::hours::max(), std::chrono::hours(1 << 30)}) {
      auto [ctx, cancel] = with_timeout(background(), huge);
      EXPECT_FALSE(ctx.cancelled());
      EXPECT_EQ(select(after(huge), after(1ms)), 1U);
      EXPECT_TRUE(timer(huge).stop());
      const ticker slow{huge};
      let_pass(1ms);
      EXPECT_FALSE(slow.channel().try_receive());
      EXPECT_FALSE(ctx.cancelled());
    }
    EXPECT_EQ(select(after(-1h), on_receive(channel<int>())), 0U);
    EXPECT_TRUE(timer(-1h).channel().receive());
  });
}

void r92_in_order_of_deadlines() {
  const std::vector<int> slots{5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0};  // Go's
  std::mutex m;  // nothing else orders the tasks
  std::vector<int> order;
  wait_group wg;
  for (int s : slots) {
    wg.go([&, s] {
      weir::sleep_for(s * 10ms);
      const std::lock_guard lock(m);
      order.push_back(s);
    });
  }
  wg.wait();
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(order.size(), slots.size());
}
TEST(sleep_clock_test, r92_sleepers_wake_in_order_of_their_deadlines) {
  on_virtual_time(r92_in_order_of_deadlines);
  hold_under_seeds([](crew&) { r92_in_order_of_deadlines(); });
}

WEIR_RULE(timer_test, r92_timers_fire_in_order_of_their_deadlines_and_not_before) {
  crew_.run([] {
    const std::vector<int> slots{5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0};
    const auto start = now();
    std::vector<timer> timers;
    for (int s : slots) timers.emplace_back(s * 1ms);
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const auto fired = *timers[i].channel().receive();
      EXPECT_GE(fired, start + slots[i] * 1ms);
      EXPECT_LE(fired, now());
      if (under_seeds) {
        EXPECT_EQ(fired, start + slots[i] * 1ms);
      }
    }
  });
}

TEST(sleep_clock_test, many_sleepers_all_wake) {
  const int n = turns(20'000);
  wait_group wg;
  for (int i = 0; i < n; ++i) {
    wg.go([i] { weir::sleep_for(std::chrono::milliseconds(i % 50)); });
  }
  wg.wait();
}

// ---- timer --------------------------------------------------------------------------------------

WEIR_RULE(timer_test, r87_no_stale_time_after_stop_or_reset) {
  crew_.run([] {
    const timer t{1ms};
    EXPECT_EQ(t.channel().capacity(), 0U);
    let_pass(2ms);
    EXPECT_EQ(t.channel().size(), 0U);
    EXPECT_TRUE(t.stop()) << "nobody received the time: to its user it was still to fire";
    EXPECT_TRUE(t.channel().try_receive().empty());
    EXPECT_FALSE(t.stop());
    EXPECT_FALSE(t.reset(1ms));
    let_pass(2ms);
    const auto restarted = now();
    EXPECT_TRUE(t.reset(5ms));
    EXPECT_GE(*t.channel().receive(), restarted + 5ms) << "it is the old one";
    EXPECT_TRUE(t.channel().try_receive().empty());
  });
}

WEIR_RULE(timer_test, r88_stop_and_reset_say_whether_it_was_pending) {
  crew_.run([] {
    const timer t{1h};
    EXPECT_TRUE(t.stop());
    EXPECT_FALSE(t.stop());
    EXPECT_FALSE(t.reset(1h));
    EXPECT_TRUE(t.reset(1ms));
    EXPECT_TRUE(t.channel().receive());
    EXPECT_FALSE(t.stop());
    EXPECT_FALSE(t.reset(1h));
    EXPECT_TRUE(t.stop());
  });
}

WEIR_RULE(timer_test, r89_the_time_is_when_it_fired_not_when_it_was_received) {
  crew_.run([] {
    const auto start = now();
    const timer t{1ms};
    let_pass(2ms);
    const auto fired = now();
    let_pass(10ms);
    const auto time = *t.channel().receive();
    EXPECT_GE(time, start + 1ms);
    EXPECT_LE(time, fired);
    if (under_seeds) {
      EXPECT_EQ(time, start + 1ms);
    }
  });
}

WEIR_RULE(timer_test, r93_after_func_runs_in_a_task_of_its_own_unless_stopped) {
  crew_.run([] {
    const channel<std::uint64_t> ran{2};
    const channel<int> hold;
    (void)after_func(1ms, [=] {  // fires without a handle, too
      (void)hold.receive();
      ran.send(this_task::id());
    });
    const timer stopped = after_func(1ms, [=] { ran.send(0); });
    if (stopped.stop()) {
      let_pass(5ms);
      EXPECT_TRUE(ran.try_receive().empty());
      EXPECT_FALSE(stopped.reset(1ms));
    }
    EXPECT_EQ(ran.receive(), 0U);
    EXPECT_FALSE(stopped.stop());
    hold.close();
    const std::uint64_t id = *ran.receive();
    EXPECT_GT(id, 0U);
    EXPECT_NE(id, this_task::id());
    EXPECT_TRUE(ran.try_receive().empty());
    EXPECT_THROW((void)after_func(1ms, std::function<void()>()), std::invalid_argument);
  });
}

WEIR_RULE(timer_test, r93_what_fires_is_the_function_and_not_a_copy) {
  struct uncopied {  // once it is armed: a copy could throw, and there is nobody to tell
    uncopied(const channel<int>& c, std::atomic<bool>& a) : ran(c), armed(a) {}
    uncopied(const uncopied& other) : ran(other.ran), armed(other.armed) { EXPECT_FALSE(armed); }
    ~uncopied() = default;
    uncopied& operator=(const uncopied&) = delete;
    void operator()() const { ran.send(1); }
    channel<int> ran;
    std::atomic<bool>& armed;
  };
  crew_.run([] {
    const channel<int> ran;
    std::atomic<bool> armed{false};
    const timer t = after_func(1h, uncopied(ran, armed));
    armed = true;
    for (int i = 0; i < 2; ++i) {
      t.reset(0ms);
      EXPECT_EQ(ran.receive(), 1);
    }
  });
}

WEIR_RULE(timer_test, r93_stop_does_not_wait_for_a_function_that_runs) {
  crew_.run([] {
    const channel<int> at;
    const timer t = after_func(0ms, [=] {
      at.send(1);
      (void)at.receive();
      at.send(2);
    });
    EXPECT_EQ(at.receive(), 1);
    EXPECT_FALSE(t.stop());
    at.send(0);
    EXPECT_EQ(at.receive(), 2);
  });
}

WEIR_RULE(timer_test, r93_a_function_may_start_its_own_timer_again) {
  crew_.run([] {
    const channel<timer> self{1};
    const channel<int> ran;
    const timer t = after_func(0ms, [=, left = 3]() mutable {  // the same function each time
      const timer me = *self.receive();
      if (--left == 0) return ran.send(left);
      self.send(me);
      me.reset(1ms);
    });
    self.send(t);
    EXPECT_EQ(ran.receive(), 0);
    EXPECT_FALSE(t.stop());
  });
}

WEIR_RULE(timer_test, r96_a_dropped_timer_is_gone) {
  crew_.run([] {
    receiver<clock::time_point> kept;
    receiver<clock::time_point> ticks;
    {
      const timer t{1h};
      kept = t.channel();
      const ticker every{1h};
      ticks = every.channel();
    }
    // Their time would come first, on a virtual clock.
    EXPECT_EQ(select(on_receive(kept), on_receive(ticks), after(under_seeds ? 5h : 0h)), 2U);
    EXPECT_FALSE(kept.try_receive() || ticks.try_receive());

    auto held = std::make_shared<int>(1);
    const std::weak_ptr<int> watch = held;
    {
      const timer f = after_func(1h, [held = std::move(held)] { ADD_FAILURE() << "stopped"; });
      EXPECT_FALSE(watch.expired());
      EXPECT_TRUE(f.stop());
    }
    EXPECT_TRUE(watch.expired()) << "what a stopped function holds goes with the last handle";
  });
}

TEST(timer_clock_test, r96_a_clock_is_not_kept_busy_by_tickers_that_are_gone) {
  on_virtual_time([] {
    for (int i = 0; i < 100; ++i) {
      const ticker t{1ms};
      EXPECT_TRUE(t.channel().receive());
    }
    weir::sleep_for(1000h);  // 3.6e11 ticks, if they were there
  });
}

// ---- ticker -------------------------------------------------------------------------------------

void r90_ticks_at_exact_times() {
  const auto start = now();
  const ticker t{10ms};
  EXPECT_EQ(*t.channel().receive() - start, 10ms);
  EXPECT_EQ(*t.channel().receive() - start, 20ms);
  weir::sleep_for(55ms);  // until 75: of 30 to 70 only the first is kept
  EXPECT_EQ(*t.channel().receive() - start, 30ms);
  EXPECT_EQ(*t.channel().receive() - start, 80ms);
  t.reset(100ms);
  EXPECT_EQ(*t.channel().receive() - start, 180ms);
  weir::sleep_for(130ms);  // one is there now
  t.reset(5ms);
  EXPECT_EQ(*t.channel().receive() - start, 315ms);
  weir::sleep_for(5ms);
  EXPECT_TRUE(t.stop());
  EXPECT_FALSE(t.channel().closed());
  EXPECT_FALSE(t.channel().try_receive());
}
TEST(ticker_clock_test, r90_ticks_come_every_period_and_are_dropped_for_the_slow) {
  on_virtual_time(r90_ticks_at_exact_times);
  hold_under_seeds([](crew&) { r90_ticks_at_exact_times(); });
}

WEIR_RULE(ticker_test, r90_ticks_are_a_period_apart_and_one_at_most_is_kept) {
  crew_.run([] {
    const auto start = now();
    const ticker t{2ms};
    EXPECT_EQ(t.channel().capacity(), 0U);
    auto last = start;
    for (int i = 1; i <= 5; ++i) {
      const auto tick = *t.channel().receive();
      EXPECT_GE(tick, start + i * 2ms);
      EXPECT_GT(tick, last);
      last = tick;
    }
    let_pass(20ms);
    const auto seen = now();
    const auto kept = *t.channel().receive();
    EXPECT_LE(kept, seen);
    if (under_seeds) {
      EXPECT_EQ(kept, last + 2ms) << "the first that was not taken";
    }
    t.reset(1h);
    EXPECT_TRUE(t.channel().try_receive().empty());
    EXPECT_TRUE(t.stop());
    EXPECT_FALSE(t.stop());
    EXPECT_FALSE(t.channel().closed());
    t.reset(1ms);
    EXPECT_TRUE(t.channel().receive());
  });
}

WEIR_RULE(ticker_test, r91_a_period_that_is_not_positive_throws) {
  crew_.run([] {
    EXPECT_THROW(ticker{0ms}, std::invalid_argument);
    EXPECT_THROW(ticker{-1s}, std::invalid_argument);
    const ticker t{1h};
    EXPECT_THROW(t.reset(0ns), std::invalid_argument);
    EXPECT_THROW(t.reset(-1ns), std::invalid_argument);
    EXPECT_TRUE(t.stop()) << "it went on as before";
  });
}

/// Ends a runtime with idle carriers as what four calls of `start(when)` have started falls due, in
/// round i.
template <class Start>
void end_a_runtime_then(int i, Start start) {
  runtime rt{{.carriers = 4}};
  rt.run([&] {
    const wait_group all;  // so that other carriers are there, and idle
    for (int t = 0; t < 8; ++t) all.go([] { blocking([] {}); });
    all.wait();
    for (int t = 0; t < 4; ++t) start(std::chrono::microseconds(i % 64));
  });
}

TEST(timer_end_test, what_fires_as_its_runtime_ends_leaves_nothing_behind) {
  for (int i = 0; i < turns(2000); ++i) {
    const auto held = std::make_shared<int>(0);
    end_a_runtime_then(i, [&](auto when) { (void)after_func(when, [held] {}); });
    ASSERT_EQ(held.use_count(), 1) << "round " << i;
  }
}

TEST(timer_end_test, what_a_deadline_calls_as_its_runtime_ends_is_called_all_the_same) {
  for (int i = 0; i < turns(2000); ++i) {
    std::atomic<int> called{0};
    std::vector<cancellable_context> kept;
    end_a_runtime_then(i, [&](auto when) {
      kept.push_back(with_timeout(background(), when));
      (void)after_func(kept.back().ctx, [&called] { ++called; });
    });
    until([&] { return called == 4; });
  }
}

}  // namespace
