// SPDX-License-Identifier: MIT
// wait_group (rules 79 to 86 of docs/semantics.md), mutex, semaphore, once, task_group.
#include "support.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <limits>
#include <mutex>

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(sync_test);

WEIR_RULE(sync_test, r79_wait_at_zero_returns_at_once) {
  crew_.run([] { wait_group{}.wait(); });
}

WEIR_RULE(sync_test, r80_wait_returns_at_zero_and_releases_every_waiter) {
  // Go's TestWaitGroup: two groups as barriers, reused.
  for (int round = 0; round < 8; ++round) {
    wait_group one, two;
    one.add(16);
    two.add(16);
    std::atomic<int> through{0};
    for (int i = 0; i < 16; ++i) {
      crew_.spawn([&, one, two] {
        one.done();
        two.wait();
        ++through;
      });
    }
    one.wait();
    for (int i = 0; i < 16; ++i) {
      EXPECT_EQ(through, 0) << "the second barrier opened early";
      two.done();
    }
    crew_.join();
    EXPECT_EQ(through, 16);
  }
}

TEST(wait_group_test, r81_a_negative_counter_throws_and_changes_nothing) {
  const wait_group wg;
  EXPECT_THROW(wg.done(), std::logic_error);
  wg.add(2);
  EXPECT_THROW(wg.add(-3), std::logic_error);
  EXPECT_THROW(wg.add(std::numeric_limits<std::int64_t>::max()), std::logic_error);
  EXPECT_THROW(wg.add(std::numeric_limits<std::int64_t>::min() + 1), std::logic_error);
  EXPECT_EQ(wg.count(), 2);
}

WEIR_RULE(sync_test, r54_what_happened_before_done_is_visible_after_wait) {
  for (int i = 0; i < turns(500); ++i) {
    wait_group wg;
    wg.add(2);
    int a = 0;
    int b = 0;
    crew_.spawn([&, wg] {
      a = 1;
      wg.done();
    });
    crew_.spawn([&, wg] {
      b = 1;
      wg.done();
    });
    wg.wait();
    ASSERT_EQ(a + b, 2);
    crew_.join();
  }
}

WEIR_RULE(sync_test, a_once_whose_function_ends_its_last_handle_lives_until_it_has_ended) {
  crew_.run([] {
    auto last = std::make_unique<once>();
    int calls = 0;
    last->call([&] {
      last.reset();
      ++calls;
    });
    EXPECT_EQ(calls, 1);
  });
}

TEST(task_group_test, ends_in_a_forked_child_without_waiting) {
  if (!forked_child_may_allocate) GTEST_SKIP() << "AddressSanitizer: the child could hang";
  const channel<int> hold;
  std::optional<task_group> group(std::in_place);
  group->go([=] { (void)hold.receive(); });
  const pid_t child = fork();
  if (child == 0) {
    group.reset();
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  hold.close();
}

WEIR_RULE(sync_test, every_wait_with_a_context_gives_up_when_it_is_done) {
  crew_.run([] {
    wait_group wg;
    wg.add();
    mutex m;
    m.lock();
    semaphore s{1};
    s.acquire();
    auto [ctx, cancel] = soon();
    EXPECT_FALSE(wg.wait(ctx));
    auto [ctx2, cancel2] = soon();
    EXPECT_FALSE(m.lock(ctx2));
    auto [ctx3, cancel3] = soon();
    EXPECT_FALSE(s.acquire(ctx3));
    m.unlock();
    s.release();
    EXPECT_FALSE(m.lock(ctx3)) << "a context that is done wins over a free lock";
    EXPECT_FALSE(s.acquire(ctx3));
    EXPECT_EQ(s.available(), 1);
    EXPECT_TRUE(m.try_lock());
  });
}

WEIR_RULE(sync_test, a_mutex_lets_one_in_at_a_time) {
  mutex m;
  int count = 0;
  for (int i = 0; i < 4; ++i) {
    crew_.spawn([&, m] {
      for (int k = 0; k < turns(2000); ++k) {
        const std::lock_guard lock(m);
        ++count;
        if (k % 64 == 0) yield();  // a task may wait while it holds it
      }
    });
  }
  crew_.join();
  EXPECT_EQ(count, 4 * turns(2000));
}

WEIR_RULE(sync_test, unlocking_a_mutex_that_is_not_locked_throws) {
  const mutex m;
  EXPECT_THROW(m.unlock(), std::logic_error);
  EXPECT_TRUE(m.try_lock());
  EXPECT_FALSE(m.try_lock());
  m.unlock();
}

WEIR_RULE(sync_test, a_semaphore_never_lends_more_than_it_has) {
  semaphore s{3};
  std::atomic<int> in{0};
  std::atomic<int> most{0};
  for (int i = 0; i < 8; ++i) {
    crew_.spawn([&, s] {
      for (int k = 0; k < turns(300); ++k) {
        s.acquire();
        const int now = ++in;
        for (int m = most; now > m && !most.compare_exchange_weak(m, now);) {
        }
        yield();
        --in;
        s.release();
      }
    });
  }
  crew_.join();
  EXPECT_LE(most, 3);
  EXPECT_EQ(s.available(), 3);
}

WEIR_RULE(sync_test, misuse_of_a_semaphore_throws_and_changes_nothing) {
  EXPECT_THROW(semaphore{-1}, std::invalid_argument);
  EXPECT_EQ(semaphore{std::size_t{3}}.available(), 3);
  const semaphore s{2};
  EXPECT_THROW(s.acquire(3), std::invalid_argument);
  EXPECT_THROW(s.acquire(-1), std::invalid_argument);
  EXPECT_THROW(s.release(), std::logic_error);
  EXPECT_THROW(s.release(-1), std::invalid_argument);
  auto [ctx, cancel] = soon();
  EXPECT_FALSE(s.acquire(ctx, 3)) << "more than there is waits for the context, as in Go";
  EXPECT_EQ(s.available(), 2);
  s.acquire(0);
}

WEIR_RULE(sync_test, a_semaphore_serves_a_waiter_with_exactly_what_it_wants) {
  const semaphore s{2};
  s.acquire(2);
  crew_.spawn([=] { s.acquire(2); });
  until([&] { return !s.try_acquire(0); });  // it waits
  s.release(2);
  crew_.join();
  EXPECT_EQ(s.available(), 0);
}

WEIR_RULE(sync_test, small_requests_do_not_overtake_a_large_one_until_it_gives_up) {
  const semaphore s{3};
  s.acquire(2);
  auto [ctx, cancel] = with_cancel(background());
  std::atomic<bool> large{true};
  std::atomic<bool> small{false};
  crew_.spawn([&, ctx = ctx] { large = s.acquire(ctx, 3); });
  until([&] { return !s.try_acquire(0); });  // the large one waits
  std::atomic<bool> begun{false};
  crew_.spawn([&] {
    begun = true;
    s.acquire(1);
    small = true;
  });
  until([&] { return begun.load(); });
  for (int i = 0; i < 20; ++i) yield();  // time enough to overtake
  EXPECT_FALSE(s.try_acquire(1)) << "somebody waits";
  EXPECT_FALSE(small);
  cancel();
  crew_.join();
  EXPECT_FALSE(large);
  EXPECT_TRUE(small);
}

WEIR_RULE(sync_test, once_runs_once_and_everybody_waits_for_its_end) {
  once o;
  std::atomic<int> ran{0};
  for (int i = 0; i < 8; ++i) {
    crew_.spawn([&, o] {
      o.call([&] {
        yield();
        ++ran;
      });
      EXPECT_EQ(ran, 1);
      EXPECT_TRUE(o.called());
    });
  }
  crew_.join();
}

TEST(once_test, an_exception_uses_it_up_as_in_go) {
  const once o;
  EXPECT_THROW(o.call([] { throw 1; }), int);
  o.call([] { ADD_FAILURE() << "ran again"; });
}

// ---- task_group ---------------------------------------------------------------------------------

/// Calls once; as the one it is, or as one that is used up.
struct lvalue_only {
  int operator()() & { return 1; }
};
struct rvalue_only {
  int operator()() && { return 2; }
};

WEIR_RULE(sync_test, what_is_called_once_may_say_as_what) {
  const weir::wait_group done;
  done.go(lvalue_only{});
  done.go(rvalue_only{});
  done.wait();
  const weir::once one;
  one.call(rvalue_only{});
  EXPECT_EQ(weir::run(lvalue_only{}), 1);
  EXPECT_EQ(weir::run(rvalue_only{}), 2);
  EXPECT_EQ(weir::blocking(rvalue_only{}), 2);
}

TEST(task_group_test, the_first_exception_cancels_the_others_and_comes_out_of_wait) {
  task_group g;
  std::atomic<int> cancelled{0};
  for (int i = 0; i < 5; ++i) {
    g.go([&](const context& ctx) {
      (void)ctx.done().receive();
      ++cancelled;
    });
  }
  g.go([] { throw std::runtime_error("first"); });
  try {
    g.wait();
    FAIL();
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ(e.what(), "first");
  }
  EXPECT_EQ(cancelled, 5);
  EXPECT_THROW(g.wait(), std::runtime_error) << "who waits later is told, too";
}

WEIR_RULE(sync_test, a_task_group_reports_the_error_that_came_first) {
  crew_.run([] {
    task_group g;
    g.go([](const context& ctx) {
      (void)ctx.done().receive();
      throw std::runtime_error("second");
    });
    g.go([] { throw std::runtime_error("first"); });
    try {
      g.wait();
      FAIL();
    } catch (const std::runtime_error& e) {
      EXPECT_STREQ(e.what(), "first");
    }
  });
}

WEIR_RULE(sync_test, a_task_group_gives_the_place_of_who_has_ended_to_the_next) {
  crew_.run([] {
    task_group g{background(), {.limit = 1}};
    int ran = 0;
    for (int i = 0; i < 4; ++i) g.go([&] { ++ran; });
    g.wait();
    EXPECT_EQ(ran, 4);
  });
}

TEST(task_group_test, its_limit_is_kept) {
  task_group g{background(), {.limit = 2}};
  std::atomic<int> in{0};
  std::atomic<int> most{0};
  for (int i = 0; i < 50; ++i) {
    g.go([&] {
      const int now = ++in;
      for (int m = most; now > m && !most.compare_exchange_weak(m, now);) {
      }
      yield();
      --in;
    });
  }
  g.wait();
  EXPECT_LE(most, 2);
  EXPECT_THROW(task_group(background(), {.limit = -1}), std::invalid_argument);
}

TEST(task_group_test, try_go_says_no_when_it_is_full_or_cancelled) {
  task_group g{background(), {.limit = 1}};
  const channel<int> hold;
  g.go([=] { (void)hold.receive(); });
  EXPECT_FALSE(g.try_go([] {}));
  hold.close();
  until([&] { return g.try_go([] {}); });
  g.cancel();
  EXPECT_FALSE(g.try_go([] { ADD_FAILURE() << "started after cancel"; }));
  g.go([] { ADD_FAILURE() << "started after cancel"; });
  g.wait();
}

TEST(task_group_test, its_destruction_joins) {
  std::atomic<int> ended{0};
  {
    task_group g;
    for (int i = 0; i < 20; ++i)
      g.go([&] {
        yield();
        ++ended;
      });
  }
  EXPECT_EQ(ended, 20);
}

TEST(task_group_test, its_parent_cancels_it) {
  auto [ctx, cancel] = with_cancel(background());
  task_group g{ctx};
  g.go([](const context& own) { (void)own.done().receive(); });
  cancel();
  g.wait();
  EXPECT_TRUE(g.ctx().cancelled());
}

/// What wait() throws, or none.
std::error_code waited(task_group& g) {
  try {
    g.wait();
    return {};
  } catch (const std::system_error& e) {
    return e.code();
  }
}

WEIR_RULE(sync_test, a_task_group_says_that_its_parent_kept_functions_from_starting) {
  crew_.run([] {
    auto [ctx, cancel] = with_cancel(background());
    task_group g{ctx, {.limit = 1}};
    const channel<int> hold;
    g.go([=] { (void)hold.receive(); });
    go([cancel = cancel] { cancel(); });
    g.go([] { ADD_FAILURE() << "there is no place before the end"; });
    hold.close();
    EXPECT_EQ(waited(g), errc::cancelled);
    EXPECT_EQ(waited(g), errc::cancelled) << "each time";

    auto late = with_timeout(background(), 0ms);
    task_group none{late.ctx};
    none.go([] { ADD_FAILURE() << "started in a group that is done"; });
    EXPECT_EQ(waited(none), errc::deadline_exceeded);
  });
}

WEIR_RULE(sync_test, an_exception_in_a_task_group_counts_more_than_what_was_not_started) {
  crew_.run([] {
    auto [ctx, cancel] = with_cancel(background());
    task_group g{ctx};
    g.go([](const context& own) {
      (void)own.done().receive();
      throw std::runtime_error("the reason");
    });
    cancel();
    g.go([] { ADD_FAILURE() << "started in a group that is done"; });
    EXPECT_THROW(g.wait(), std::runtime_error);
  });
}

WEIR_RULE(sync_test, what_a_task_group_was_told_to_leave_is_no_error) {
  crew_.run([] {
    auto [ctx, cancel] = with_cancel(background());
    task_group own{ctx};
    own.cancel();
    own.go([] { ADD_FAILURE() << "started after cancel()"; });
    own.wait();

    task_group asked{ctx};
    cancel();
    EXPECT_FALSE(asked.try_go([] { ADD_FAILURE() << "started in a group that is done"; }));
    asked.wait();
  });
}

WEIR_RULE(sync_test, a_task_group_is_for_one_use) {
  crew_.run([] {
    task_group g;
    g.go([] {});
    g.wait();
    EXPECT_THROW(g.go([] {}), std::logic_error);
    EXPECT_THROW((void)g.try_go([] {}), std::logic_error);
    g.wait();
  });
}

WEIR_RULE(sync_test, all_who_wait_for_a_task_group_get_its_exception) {
  task_group g;
  std::atomic<int> told{0};
  const channel<int> hold;
  g.go([=] {
    (void)hold.receive();
    throw std::runtime_error("for all");
  });
  for (int i = 0; i < 3; ++i) {
    crew_.spawn([&] {
      try {
        g.wait();
      } catch (const std::runtime_error&) {
        ++told;
      }
    });
  }
  hold.close();
  crew_.join();
  EXPECT_EQ(told, 3);
}

WEIR_RULE(sync_test, a_wait_for_a_task_group_ends_with_its_context) {
  crew_.run([] {
    task_group g;
    const channel<int> hold;
    g.go([=] {
      (void)hold.receive();
      throw std::runtime_error("after all");
    });
    EXPECT_FALSE(g.wait(soon().ctx));
    EXPECT_FALSE(g.ctx().cancelled());
    EXPECT_TRUE(g.try_go([] {})) << "it goes on";
    hold.close();
    EXPECT_THROW((void)g.wait(background()), std::runtime_error);

    task_group good;
    EXPECT_TRUE(good.wait(background()));
    EXPECT_TRUE(good.ctx().cancelled());
  });
}

}  // namespace
