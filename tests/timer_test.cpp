// SPDX-License-Identifier: MIT
// Rules of Go for timers; the numbers are those of docs/semantics.md. On virtual time where a time
// is the subject: exact, and costs nothing.
#include "support.hpp"

#include <mutex>

namespace {

using namespace weir_test;
using namespace weir;
using clock = context::clock;

clock::time_point now() { return detail::time_after(clock::duration::zero()); }

/// Runs f as the main task of a runtime on virtual time.
void on_virtual_time(std::function<void()> f) {
  runtime({.clock = clock_kind::virtual_time}).run(f);
}

TEST(sleep_test, virtual_sleep_takes_exactly_as_long_as_asked) {
  on_virtual_time([] {
    const auto start = now();
    weir::sleep_for(36h);
    EXPECT_EQ(now() - start, 36h);
  });
}

TEST(sleep_test, a_real_sleep_is_never_short) {
  for (const bool task : {true, false}) {
    const auto wait = [] {
      const auto start = clock::now();
      weir::sleep_for(15ms);
      EXPECT_GE(clock::now() - start, 15ms);
    };
    if (task) {
      run(wait);
    } else {
      wait();
    }
  }
}

TEST(sleep_test, r94_zero_and_negative_return_at_once_and_huge_does_not_overflow) {
  weir::sleep_for(0s);
  weir::sleep_for(-1h);
  on_virtual_time([] {
    auto [ctx, cancel] = with_timeout(background(), std::chrono::hours::max());
    EXPECT_FALSE(ctx.cancelled());
    EXPECT_EQ(select(after(std::chrono::hours::max()), after(1s)), 1U);
  });
}

TEST(sleep_test, r92_timers_fire_in_order_of_their_deadlines) {
  on_virtual_time([] {
    // Go's slots.
    const std::vector<int> slots{5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0};
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
  });
}

TEST(timer_test, r87_no_stale_time_after_stop_or_reset) {
  on_virtual_time([] {
    const timer t{10ms};
    EXPECT_EQ(t.channel().capacity(), 0U);
    weir::sleep_for(20ms);
    EXPECT_EQ(t.channel().size(), 0U);
    EXPECT_TRUE(t.stop()) << "nobody received the time: to its user it was still to fire";
    EXPECT_TRUE(t.channel().try_receive().empty());
    t.reset(10ms);
    weir::sleep_for(20ms);
    EXPECT_TRUE(t.reset(50ms));
    EXPECT_TRUE(t.channel().try_receive().empty());
    EXPECT_TRUE(t.channel().receive());
  });
}

TEST(timer_test, r88_stop_and_reset_say_whether_it_was_pending) {
  on_virtual_time([] {
    const timer t{10ms};
    EXPECT_TRUE(t.stop());
    EXPECT_FALSE(t.stop());
    EXPECT_FALSE(t.reset(5ms));
    EXPECT_TRUE(t.channel().receive());
    EXPECT_FALSE(t.stop());
  });
}

TEST(timer_test, r89_the_time_is_when_it_fired_not_when_it_was_received) {
  on_virtual_time([] {
    const auto start = now();
    const timer t{10ms};
    weir::sleep_for(1s);
    EXPECT_EQ(*t.channel().receive() - start, 10ms);
  });
}

TEST(ticker_test, r90_ticks_come_every_period_and_are_dropped_for_the_slow) {
  on_virtual_time([] {
    const auto start = now();
    const ticker t{10ms};
    EXPECT_EQ(*t.channel().receive() - start, 10ms);
    EXPECT_EQ(*t.channel().receive() - start, 20ms);
    weir::sleep_for(55ms);  // until 75: of 30 to 70 only the first is kept
    EXPECT_EQ(*t.channel().receive() - start, 30ms);
    EXPECT_EQ(*t.channel().receive() - start, 80ms);
    t.reset(100ms);
    EXPECT_EQ(*t.channel().receive() - start, 180ms);
    EXPECT_TRUE(t.stop());
    EXPECT_FALSE(t.channel().closed());
    EXPECT_FALSE(t.channel().try_receive());
  });
}

TEST(ticker_test, r91_a_period_that_is_not_positive_throws) {
  EXPECT_THROW(ticker{0ms}, std::invalid_argument);
  EXPECT_THROW(ticker{-1s}, std::invalid_argument);
  const ticker t{1h};
  EXPECT_THROW(t.reset(0ns), std::invalid_argument);
}

TEST(timer_test, r93_after_func_runs_in_a_task_of_its_own_unless_stopped) {
  on_virtual_time([] {
    channel<std::uint64_t> ran{2};
    (void)after_func(10ms, [=] { ran.send(this_task::id()); });  // fires without a handle, too
    const timer stopped = after_func(10ms, [=] { ran.send(0); });
    EXPECT_TRUE(stopped.stop());
    weir::sleep_for(1s);
    EXPECT_NE(*ran.receive(), this_task::id());
    EXPECT_TRUE(ran.try_receive().empty());
    EXPECT_FALSE(stopped.reset(1s));
    EXPECT_EQ(ran.receive(), 0U);
  });
}

TEST(timer_test, r96_a_dropped_timer_is_gone) {
  on_virtual_time([] {
    receiver<clock::time_point> kept;
    {
      const timer t{10ms};
      kept = t.channel();
    }
    weir::sleep_for(1s);
    EXPECT_FALSE(kept.try_receive());
  });
}

TEST(timer_test, many_sleepers_wake_in_time) {
  const int n = turns(20'000);
  wait_group wg;
  const auto start = clock::now();
  for (int i = 0; i < n; ++i) {
    wg.go([i] { weir::sleep_for(std::chrono::milliseconds(i % 50)); });
  }
  wg.wait();
  EXPECT_LT(clock::now() - start, 20s);
}

}  // namespace
