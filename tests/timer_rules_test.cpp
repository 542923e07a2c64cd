// SPDX-License-Identifier: MIT
// Rules of Go for timers (87 to 96 of docs/semantics.md) when several tasks use one: Go's
// testTimerChan, races of stop and reset with the firing, and very many of them. The words one by
// one are in timer_test.cpp.
#include "support.hpp"

#include <random>

namespace {

using namespace weir_test;
using namespace weir;
using clock = context::clock;

WEIR_RULES(timer_rules_test);
WEIR_RULES(timer_race_test);

clock::time_point now() { return detail::time_after(clock::duration::zero()); }

/// Returns after `d`, and after everything that was to fire here before has.
void let_pass(clock::duration d) { (void)timer(d).channel().receive(); }

// ---- one timer in every state, with 0, 1 and 2 waiters ------------------------------------------

/// Tasks that take every time that comes, and report it, until end().
class takers {
 public:
  takers(crew& c, int n, const receiver<clock::time_point>& from) : crew_(c) {
    for (int i = 0; i < n; ++i) {
      crew_.spawn([from, ctx = life_.ctx, took = took_] {
        while (auto tick = from.receive(ctx)) took.send(*tick);
      });
    }
  }
  [[nodiscard]] clock::time_point next() const { return *took_.receive(); }
  [[nodiscard]] std::vector<clock::time_point> reported() const {
    std::vector<clock::time_point> all;
    while (auto tick = took_.try_receive()) all.push_back(*tick);
    return all;
  }
  /// What they have taken and nobody has asked for.
  [[nodiscard]] std::vector<clock::time_point> end() const {
    life_.cancel();
    crew_.join();
    return reported();
  }

 private:
  crew& crew_;
  const cancellable_context life_ = with_cancel(background());
  const channel<clock::time_point> took_{4096};
};

/// Each arming comes to one time that is taken, or to one stop() or reset() that says true.
void a_timer_in_every_state(crew& c, int waiters) {
  const timer t{1h};
  const takers all(c, waiters, t.channel());
  const auto take = [&] { return waiters > 0 ? all.next() : *t.channel().receive(); };
  const auto nothing = [&] { return all.reported().empty() && t.channel().try_receive().empty(); };
  for (int round = 0; round < 2; ++round) {
    // Pending: reset, stop.
    EXPECT_TRUE(t.reset(1h));
    EXPECT_EQ(t.channel().size() + t.channel().capacity(), 0U);
    EXPECT_TRUE(t.stop());
    EXPECT_TRUE(nothing());
    // Stopped: stop, reset.
    EXPECT_FALSE(t.stop());
    EXPECT_FALSE(t.reset(1h));
    // Pending to firing: the time comes once.
    const auto start = now();
    EXPECT_TRUE(t.reset(1ms));
    EXPECT_GE(take(), start + 1ms);
    EXPECT_TRUE(nothing());
    // Fired and received: stop, reset.
    EXPECT_FALSE(t.stop());
    EXPECT_FALSE(t.reset(0ms));
    EXPECT_GE(take(), start + 1ms);
    EXPECT_FALSE(t.reset(1h));
    // Fired and not received, which takes a timer without waiters: stop, reset.
    if (waiters > 0) continue;
    EXPECT_TRUE(t.reset(0ms));
    let_pass(1ms);
    EXPECT_EQ(t.channel().size() + t.channel().capacity(), 0U);
    EXPECT_TRUE(t.stop());
    EXPECT_TRUE(nothing()) << "a stale time after stop";
    EXPECT_FALSE(t.reset(0ms));
    let_pass(1ms);
    const auto again = now();
    EXPECT_TRUE(t.reset(1ms));
    EXPECT_GE(take(), again + 1ms) << "a stale time after reset";
    EXPECT_FALSE(t.reset(1h));
  }
  EXPECT_TRUE(t.stop());
  EXPECT_TRUE(all.end().empty()) << "a time too many";
}

WEIR_RULE(timer_rules_test, r87_r88_one_timer_in_every_state_without_waiters) {
  crew_.run([&] { a_timer_in_every_state(crew_, 0); });
}
WEIR_RULE(timer_rules_test, r87_r88_one_timer_in_every_state_with_one_waiter) {
  a_timer_in_every_state(crew_, 1);
}
WEIR_RULE(timer_rules_test, r87_r88_one_timer_in_every_state_with_two_waiters) {
  a_timer_in_every_state(crew_, 2);
}

void a_ticker_in_every_state(crew& c, int waiters) {
  const ticker t{1h};
  const takers all(c, waiters, t.channel());
  const auto take = [&] { return waiters > 0 ? all.next() : *t.channel().receive(); };
  auto quiet = now();
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(t.stop());
    EXPECT_FALSE(t.stop());
    EXPECT_TRUE(t.channel().try_receive().empty());
    auto last = now();
    t.reset(1ms);
    for (int i = 0; i < 3; ++i) {
      const auto tick = take();
      if (waiters < 2 && tick > quiet) {  // two may report out of order
        EXPECT_GT(tick, last);
        last = tick;
      }
    }
    t.reset(1h);
    quiet = now();
    EXPECT_TRUE(t.channel().try_receive().empty()) << "a stale tick after reset";
    let_pass(3ms);
    for (const auto tick : all.reported()) EXPECT_LE(tick, quiet) << "a tick after reset";
    EXPECT_EQ(t.channel().size() + t.channel().capacity(), 0U);
  }
  EXPECT_TRUE(t.stop());
  EXPECT_FALSE(t.channel().closed());
  for (const auto tick : all.end()) EXPECT_LE(tick, quiet) << "a tick after stop";
}

WEIR_RULE(timer_rules_test, r87_r90_one_ticker_in_every_state_without_waiters) {
  crew_.run([&] { a_ticker_in_every_state(crew_, 0); });
}
WEIR_RULE(timer_rules_test, r87_r90_one_ticker_in_every_state_with_one_waiter) {
  a_ticker_in_every_state(crew_, 1);
}
WEIR_RULE(timer_rules_test, r87_r90_one_ticker_in_every_state_with_two_waiters) {
  a_ticker_in_every_state(crew_, 2);
}

// ---- races --------------------------------------------------------------------------------------

WEIR_RULE(timer_race_test, r88_stop_races_with_the_firing) {
  for (int i = 0; i < turns(200); ++i) {
    const timer t{i % 2 * 1ms};
    auto [ctx, cancel] = with_cancel(background());
    std::atomic<bool> got{false};
    const channel<bool> stopped{1};
    crew_.spawn([&, t, ctx = ctx] { got = t.channel().receive(ctx).has_value(); });
    crew_.spawn([=] { stopped.send(t.stop()); });
    const bool was_pending = *stopped.receive();
    if (was_pending) cancel();
    crew_.join();
    EXPECT_EQ(got, !was_pending) << "taken, or stopped";
    EXPECT_FALSE(t.stop());
  }
}

WEIR_RULE(timer_race_test, r87_r88_every_reset_ends_in_one_time_or_one_true) {
  const timer t{1h};
  std::atomic<int> armed{1};
  std::atomic<int> superseded{0};
  const takers all(crew_, 2, t.channel());
  wait_group resetting;
  for (int i = 0; i < 3; ++i) {
    resetting.add();
    crew_.spawn([&, resetting, t, i] {
      for (int k = 0; k < turns(1000); ++k) {
        if (i == 2) {
          superseded += t.stop();
        } else {
          superseded += t.reset(std::chrono::microseconds(k % 3 * 20));
          ++armed;
        }
      }
      resetting.done();
    });
  }
  resetting.wait();
  superseded += t.stop();
  EXPECT_EQ(static_cast<int>(all.end().size()), armed - superseded);
}

WEIR_RULE(timer_race_test, r93_every_reset_ends_in_one_run_or_one_true) {
  std::atomic<int> armed{1};
  std::atomic<int> superseded{0};
  const channel<int> ran{4096};
  const timer t = after_func(1h, [=] { ran.send(1); });
  for (int i = 0; i < 3; ++i) {
    crew_.spawn([&, t, i] {
      for (int k = 0; k < turns(1000); ++k) {
        if (i == 2) {
          superseded += t.stop();
        } else {
          superseded += t.reset(std::chrono::microseconds(k % 3 * 20));
          ++armed;
        }
      }
    });
  }
  crew_.join();
  superseded += t.stop();
  for (int i = superseded; i < armed; ++i) EXPECT_EQ(ran.receive(), 1);
  EXPECT_FALSE(t.stop());
  EXPECT_TRUE(ran.try_receive().empty());
}

WEIR_RULE(timer_race_test, r90_ticks_race_with_stop_and_reset) {
  for (int i = 0; i < turns(50); ++i) {
    const ticker t{1ms};
    const takers all(crew_, 1, t.channel());
    for (int k = 0; k < 2; ++k) {
      crew_.spawn([t, k] {
        if (k == 0) {
          t.reset(1ms);
        } else {
          (void)t.stop();
        }
      });
    }
    t.reset(1ms);
    (void)t.stop();
    const auto seen = all.end();  // and all the others have ended
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
    (void)t.stop();
    EXPECT_TRUE(t.channel().try_receive().empty());
  }
}

WEIR_RULE(timer_race_test, r96_handles_are_dropped_while_they_fire) {
  for (int i = 0; i < 4; ++i) {
    crew_.spawn([i] {
      const channel<int> ran;
      for (int k = 0; k < turns(500); ++k) {
        const auto soon = std::chrono::microseconds(i * k % 50);
        const timer t{soon};
        const ticker every{soon + 1us};
        if (k % 2 == 0) (void)every.channel().receive();
        if (k % 4 == 0) (void)t.channel().receive();
        if (!after_func(soon, [=] { ran.send(k); }).stop()) {
          EXPECT_EQ(ran.receive(), k);
        }
        EXPECT_EQ(select(after(soon), after(1h)), 0U);
      }
    });
  }
  crew_.join();
}

WEIR_RULE(timer_race_test, r87_a_deadline_a_timer_and_a_value_race_in_a_select) {
  for (int i = 0; i < turns(100); ++i) {
    const timer t{1ms};
    const channel<int> ch;
    auto [ctx, cancel] = with_timeout(background(), 1ms);
    crew_.spawn([=, ctx = ctx] { (void)ch.send(ctx, 1); });
    const std::size_t which =
        select(on_receive(t.channel()), on_done(ctx), on_receive(ch), after(1ms));
    if (which == 1) {
      EXPECT_EQ(ctx.error(), errc::deadline_exceeded);
    }
    if (which != 0) {
      EXPECT_TRUE(t.channel().receive()) << "the loser keeps its time";
    }
    EXPECT_FALSE(t.stop());
    crew_.join();
  }
}

/// The same under schedules in which a timer may fire while others run.
TEST(timer_late_test, r87_r88_r90_r93_r96_hold_when_timers_fire_in_between) {
  for (const rule r :
       {rule_r88_stop_races_with_the_firing, rule_r87_r88_every_reset_ends_in_one_time_or_one_true,
        rule_r93_every_reset_ends_in_one_run_or_one_true, rule_r90_ticks_race_with_stop_and_reset,
        rule_r87_a_deadline_a_timer_and_a_value_race_in_a_select}) {
    hold_under_seeds(r, {.time_may_pass = true});
  }
}

// ---- many ---------------------------------------------------------------------------------------

/// Go's TestLongAdjustTimers: a queue in which each change costs O(n) takes minutes, and the test's
/// time limit.
WEIR_RULE(timer_rules_test, r95_five_thousand_timers_are_adjusted_by_several_at_once) {
  const int each = std::max(turns(5000) / 4, 2);
  for (int i = 0; i < 4; ++i) {
    crew_.spawn([each, i] {
      std::mt19937 random(static_cast<unsigned>(i));
      const auto delay = [&](unsigned ms) {
        return std::chrono::microseconds(random() % (ms * 1000));
      };
      std::vector<timer> timers;
      for (int k = 0; k < each; ++k) timers.emplace_back(1h + delay(1000));
      for (int round = 0; round < 10; ++round) {
        for (const timer& t : timers) EXPECT_TRUE(t.reset(1h + delay(1000)));
      }
      for (int k = 0; k < each; k += 2) {
        EXPECT_TRUE(timers[static_cast<std::size_t>(k)].stop());
      }
      for (const timer& t : timers) t.reset(delay(20));
      for (const timer& t : timers) EXPECT_TRUE(t.channel().receive());
      for (const timer& t : timers) EXPECT_FALSE(t.stop());
    });
  }
  crew_.join();
}

WEIR_RULE(timer_rules_test, r92_what_is_due_first_fires_first_whoever_set_it) {
  // On a virtual clock the times are exact; on a real one they are not earlier.
  const channel<std::pair<clock::time_point, clock::time_point>> fired{13};
  for (const int slot : {5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0}) {
    crew_.spawn([=] {
      const auto due = now() + slot * 1ms;
      fired.send({due, *timer(slot * 1ms).channel().receive()});
    });
  }
  crew_.join();
  fired.close();
  auto last = clock::time_point::min();
  for (const auto& [due, time] : fired) {
    EXPECT_GE(time, due);
    if (under_seeds) {
      EXPECT_EQ(time, due);
      EXPECT_GE(time, last);
    }
    last = time;
  }
}

}  // namespace
