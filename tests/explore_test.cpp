// SPDX-License-Identifier: MIT
// explore(): it finds what it should, always the same, says how to see it again, and makes it
// small.
#include "support.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>

namespace {

using namespace weir_test;
using namespace weir;

const explore_options quiet{.quiet = true};

/// Two tasks that read, do something of Weir's, and write: an update may be lost.
void lost_update() {
  std::atomic<int> n{0};  // so that a sanitizer does not find it first
  const mutex unrelated;
  wait_group wg;
  for (int i = 0; i < 2; ++i) {
    wg.go([&] {
      const int old = n.load();
      unrelated.lock();
      unrelated.unlock();
      n = old + 1;
    });
  }
  wg.wait();
  require(n == 2, "an update was lost");
}

template <class F>
schedule_failure failure_of(explore_options options, F body) {
  options.quiet = true;
  try {
    explore(options, body);
  } catch (const schedule_failure& e) {
    return e;
  }
  throw std::logic_error("no schedule failed");
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(explore_test, finds_a_lost_update_and_shrinks_it_to_one_preemption) {
  const schedule_failure e = failure_of({.seeds = 1000}, lost_update);
  EXPECT_EQ(e.preemptions(), 1U) << e.what();
  EXPECT_TRUE(has(e.what(), "an update was lost")) << e.what();
  EXPECT_TRUE(has(e.what(), "is stopped before: mutex")) << e.what();
  EXPECT_TRUE(has(e.what(), "WEIR_REPLAY=" + e.schedule())) << e.what();
  EXPECT_THROW(std::rethrow_exception(e.cause()), std::runtime_error);
}

TEST(explore_test, a_failing_schedule_fails_again_when_it_is_replayed) {
  const schedule_failure e = failure_of({.seeds = 1000}, lost_update);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THROW(replay(e.schedule(), lost_update, quiet), schedule_failure);
  }
  EXPECT_NO_THROW(replay("s", lost_update, quiet)) << "no deviation: nothing is preempted";
}

TEST(explore_test, the_environment_can_ask_for_one_schedule) {
  const schedule_failure e = failure_of({.seeds = 1000}, lost_update);
  int runs = 0;
  const auto counted = [&] {
    ++runs;
    lost_update();
  };
  setenv("WEIR_REPLAY", e.schedule().c_str(), 1);
  EXPECT_THROW(explore(quiet, counted), schedule_failure);
  EXPECT_EQ(runs, 1);
  setenv("WEIR_REPLAY", "17", 1);
  EXPECT_EQ(explore(quiet, [] {}).schedules, 1U);
  setenv("WEIR_REPLAY", "s9.x", 1);
  EXPECT_THROW(explore(quiet, counted), std::invalid_argument);
  unsetenv("WEIR_REPLAY");
  EXPECT_EQ(runs, 1);
}

/// Something with everything in it; its trace is compared.
void busy_program() {
  const channel<int> in{2};
  const channel<int> out;
  auto [ctx, cancel] = with_timeout(background(), 50ms);
  wait_group wg;
  for (int i = 0; i < 3; ++i) {
    wg.go([=, ctx = ctx] {
      while (auto v = in.receive(ctx)) {
        weir::sleep_for(7ms);
        if (select(on_send(out, *v), on_done(ctx), after(3ms)) == 1) return;
      }
    });
  }
  go([=, ctx = ctx] {
    for (int i = 0; in.send(ctx, i); ++i) {
    }
  });
  go([=] {
    wg.wait();
    out.close();
  });
  for (const int v : out) require(v >= 0, "nothing is made up");
}

TEST(explore_test, the_same_seeds_give_the_same_runs) {
  const exploration once = explore(200, busy_program);
  const exploration again = explore(200, busy_program);
  EXPECT_EQ(once.fingerprint, again.fingerprint);
  EXPECT_EQ(once.decisions, again.decisions);
  EXPECT_NE(explore({.seeds = 200, .first_seed = 1000}, busy_program).fingerprint,
            once.fingerprint);
}

TEST(explore_test, a_body_that_is_another_from_run_to_run_is_found_out) {
  for (const int least : {1, 3}) {
    int runs = 0;
    try {
      explore_all({.preemptions = 0, .quiet = true}, [&] {
        const int n = runs++ < 20 ? 4 : least;
        const wait_group wg;
        for (int i = 0; i < n; ++i) wg.go([] { yield(); });
        wg.wait();
      });
      ADD_FAILURE() << "nothing was said";
    } catch (const schedule_failure& e) {
      EXPECT_NE(std::string(e.what()).find("is the body deterministic?"), std::string::npos);
    }
  }
}

TEST(explore_test, one_inside_of_another_is_refused) {
  explore(1, [] { EXPECT_THROW(explore(1, [] {}), std::logic_error); });
}

TEST(explore_test, what_a_verdict_throws_comes_out_and_leaves_nothing_behind) {
  const channel<int> outer;
  const explore_options options{.seeds = 1, .leftovers_allowed = true, .verdict = [] {
                                  throw std::runtime_error("verdict");
                                  return std::string();
                                }};
  EXPECT_THROW(explore(options,
                       [=] {
                         go([=] { (void)outer.receive(); });
                         yield();
                       }),
               std::runtime_error);
  EXPECT_TRUE(outer.try_send(1)) << "to the receiver, whose stack stays";
}

TEST(explore_test, most_seeds_are_different_schedules) {
  const exploration e = explore(1000, busy_program);
  EXPECT_EQ(e.schedules, 1000U);
  EXPECT_GT(e.distinct, 900U);
}

TEST(explore_test, sleeping_costs_nothing_and_takes_exactly_as_long_as_asked) {
  const auto start = std::chrono::steady_clock::now();
  explore(10, [] {
    auto [ctx, cancel] = with_timeout(background(), 1000h);
    weir::sleep_for(999h);
    require(!ctx.cancelled(), "an hour is left");
    weir::sleep_for(1h);
    require(select(on_done(ctx), after(1ns)) == 0, "it is over");
  });
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
}

TEST(explore_test, a_deadlock_is_reported_with_who_waits_for_what) {
  const schedule_failure e = failure_of({.seeds = 1000}, [] {
    const mutex a;
    const mutex b;
    wait_group wg;
    const auto lock_both = [wg](const char* name, const mutex& first, const mutex& second) {
      wg.add();
      go(name, [=] {
        first.lock();
        second.lock();
        second.unlock();
        first.unlock();
        wg.done();
      });
    };
    lock_both("forwards", a, b);
    lock_both("backwards", b, a);
    wg.wait();
  });
  EXPECT_TRUE(has(e.what(), "deadlock")) << e.what();
  EXPECT_TRUE(has(e.what(), "'forwards': lock of mutex 0x")) << e.what();
  EXPECT_TRUE(has(e.what(), "'backwards': lock of mutex 0x")) << e.what();
  EXPECT_EQ(e.preemptions(), 1U) << e.what();
  EXPECT_FALSE(e.cause());
}

TEST(explore_test, tasks_left_waiting_fail_unless_allowed) {
  const auto leave_one = [] { go("forgotten", [] { (void)receiver<int>{}.receive(); }); };
  EXPECT_TRUE(has(failure_of({.seeds = 3}, leave_one).what(), "'forgotten': receive on nil"));
  EXPECT_EQ(explore({.seeds = 3, .leftovers_allowed = true}, leave_one).schedules, 3U);
}

TEST(explore_test, an_exception_of_any_task_fails_and_its_kind_is_told) {
  const schedule_failure e = failure_of({.seeds = 3}, [] {
    wait_group wg;
    wg.go([] { throw std::out_of_range("too far"); });
    wg.wait();
  });
  EXPECT_TRUE(has(e.what(), "std::out_of_range: too far")) << e.what();
  EXPECT_THROW(std::rethrow_exception(e.cause()), std::out_of_range);
}

TEST(explore_test, a_body_may_say_false_and_a_verdict_may_say_why) {
  EXPECT_TRUE(has(failure_of({.seeds = 1}, [] { return false; }).what(), "returned false"));
  EXPECT_TRUE(
      has(failure_of({.seeds = 1, .verdict = [] { return "judged"; }}, [] {}).what(), "judged"));
}

TEST(explore_test, tasks_that_only_poll_let_the_clock_go_on_and_an_endless_loop_is_a_failure) {
  explore(50, [] {
    auto [ctx, cancel] = with_timeout(background(), 1s);
    while (!ctx.cancelled()) yield();
  });
  const schedule_failure e = failure_of({.seeds = 1, .steps_max = 1000}, [] {
    for (;;) yield();
  });
  EXPECT_TRUE(has(e.what(), "no end after")) << e.what();
}

/// A task that wakes again and again, by time alone.
void leave_heartbeat() {
  go("heartbeat", [] {
    for (;;) weir::sleep_for(1s);
  });
}

TEST(explore_test, a_heartbeat_that_the_body_leaves_is_left) {
  const schedule_failure e = failure_of({.seeds = 1}, leave_heartbeat);
  EXPECT_TRUE(has(e.what(), "1 of its tasks do not end:\n    task 2 'heartbeat': sleep"))
      << e.what();
  EXPECT_EQ(explore({.seeds = 3, .leftovers_allowed = true}, leave_heartbeat).schedules, 3U);
}

TEST(explore_test, a_ticker_that_the_body_leaves_does_not_keep_a_run_from_its_end) {
  std::vector<ticker> kept;
  EXPECT_EQ(explore(3, [&] { kept.emplace_back(1s); }).schedules, 3U);
  EXPECT_EQ(explore_all({}, [&] { kept.emplace_back(1s); }).schedules, 1U);
}

TEST(explore_test, what_takes_many_moves_of_the_clock_after_the_body_may_end) {
  int beats = 0;
  explore(1, [&] {
    go([&] {
      for (; beats < 5000; ++beats) weir::sleep_for(1s);
    });
  });
  EXPECT_EQ(beats, 5000);
}

TEST(explore_test, a_body_without_end_is_a_failure_whatever_it_does) {
  const auto expect_no_end = [](const std::string& what, auto step) {
    const auto body = [&] {
      for (;;) step();
    };
    const schedule_failure e = failure_of({.seeds = 1, .steps_max = 1000}, body);
    EXPECT_TRUE(has(e.what(), "no end after 1000 steps")) << what << ": " << e.what();
    EXPECT_THROW(explore_all({.preemptions = 0, .steps_max = 1000, .quiet = true}, body),
                 schedule_failure)
        << what;
  };
  const channel<int> ch{1};
  expect_no_end("sleeps", [] { weir::sleep_for(1s); });
  expect_no_end("select with a time limit", [] { select(on_receive(channel<int>()), after(1s)); });
  expect_no_end("what need not wait", [&] {
    ch.send(1);
    (void)ch.receive();
  });
}

TEST(explore_test, time_passes_only_while_all_wait_unless_asked_for) {
  const auto slow_machine = [] {
    auto [ctx, cancel] = with_timeout(background(), 1h);
    const channel<int> ch{1};
    ch.send(1);
    yield();
    require(ch.receive(ctx).has_value(), "an hour went by between two statements");
  };
  EXPECT_EQ(explore(1000, slow_machine).schedules, 1000U);
  EXPECT_EQ(failure_of({.seeds = 1000, .time_may_pass = true}, slow_machine).preemptions(), 1U);
}

TEST(explore_test, blocking_calls_run_in_place) {
  explore(20, [] {
    const auto here = std::this_thread::get_id();
    require(blocking([] { return std::this_thread::get_id(); }) == here, "on this thread");
  });
}

TEST(explore_test, can_be_called_from_a_task) {
  EXPECT_EQ(run([] { return explore(10, busy_program).schedules; }), 10U);
}

TEST(explore_all_test, tries_every_interleaving_of_a_small_program) {
  // Two tasks of two steps each: with a preemption between any two, all C(4, 2) = 6 orders.
  std::set<std::string> orders;
  const exploration e = explore_all({.preemptions = 4}, [&] {
    std::array<std::atomic<char>, 5> order{};
    std::atomic<std::size_t> n{0};
    wait_group wg;
    wg.add(2);
    for (const char* name : {"aA", "bB"}) {
      go([&, wg, name] {
        order[n++] = name[0];
        schedule_point();
        order[n++] = name[1];
        wg.done();
      });
    }
    wg.wait();
    orders.insert({order.begin(), order.begin() + 4});
  });
  EXPECT_TRUE(e.complete);
  EXPECT_EQ(orders, (std::set<std::string>{"aAbB", "abAB", "abBA", "baAB", "baBA", "bBaA"}));
}

TEST(explore_all_test, tries_as_many_of_a_channel_that_was_in_use_before) {
  const auto schedules_of = [](const weir::channel<int>& ch) {
    const auto once = [&] {
      (void)ch.try_send(1);
      (void)ch.try_receive();
    };
    return weir::explore_all({},
                             [&] {
                               weir::wait_group wg;
                               for (int i = 0; i < 2; ++i) wg.go(once);
                               wg.wait();
                               while (ch.try_receive()) {
                               }
                             })
        .schedules;
  };
  const weir::channel<int> fresh{4};
  const weir::channel<int> used{4};
  for (int i = 0; i < 1000; ++i) {  // its lock is this thread's now
    (void)used.try_send(i);
    (void)used.try_receive();
  }
  EXPECT_EQ(schedules_of(used), schedules_of(fresh));
}

TEST(explore_all_test, needs_as_many_preemptions_as_the_bug) {
  const auto body = [] {
    // Fails only if the second task runs as a whole between the first's two steps, twice.
    std::atomic<int> stage{0};
    wait_group wg;
    wg.add(2);
    go([&, wg] {
      schedule_point();
      if (stage == 1) stage = 2;
      schedule_point();
      if (stage == 3) stage = 4;
      wg.done();
    });
    go([&, wg] {
      stage = 1;
      schedule_point();
      if (stage == 2) stage = 3;
      wg.done();
    });
    wg.wait();
    require(stage != 4, "stage 4");
  };
  explore_all_options options{.preemptions = 0, .quiet = true};
  EXPECT_TRUE(explore_all(options, body).complete);
  options.preemptions = 1;
  EXPECT_TRUE(explore_all(options, body).complete);
  options.preemptions = 3;
  try {
    explore_all(options, body);
    FAIL() << "three are enough";
  } catch (const schedule_failure& e) {
    EXPECT_GE(e.preemptions(), 2U);
  }
}

TEST(explore_all_test, tries_every_choice_of_select) {
  std::set<int> chosen;
  EXPECT_TRUE(explore_all({.preemptions = 0}, [&] {
                const channel<int> a{1}, b{1}, c{1};
                a.send(1);
                b.send(2);
                c.send(3);
                select(on_receive(a, [&](auto v) { chosen.insert(*v); }),
                       on_receive(b, [&](auto v) { chosen.insert(*v); }),
                       on_receive(c, [&](auto v) { chosen.insert(*v); }));
              }).complete);
  EXPECT_EQ(chosen, (std::set<int>{1, 2, 3}));
}

TEST(explore_all_test, gives_up_where_it_is_told_to_and_refuses_nonsense) {
  const exploration e = explore_all({.preemptions = 2, .schedules_max = 10}, busy_program);
  EXPECT_EQ(e.schedules, 10U);
  EXPECT_FALSE(e.complete);
  EXPECT_THROW(explore_all({.preemptions = -1}, [] {}), std::invalid_argument);
  EXPECT_THROW(explore(1, std::function<void()>{}), std::invalid_argument);
}

TEST(explore_all_test, a_channel_of_one_is_right_under_every_schedule_of_two_preemptions) {
  const exploration e = explore_all({.preemptions = 2}, [] {
    const channel<int> ch{1};
    go([=] {
      ch.send(1);
      ch.send(2);
      ch.close();
    });
    int last = 0;
    for (const int v : ch) require(v == ++last, "in order");
    require(last == 2, "all");
  });
  EXPECT_TRUE(e.complete);
}

}  // namespace
