// SPDX-License-Identifier: MIT
// Small programs under every schedule of up to two preemptions, and every choice of select: what a
// thousand random schedules might miss, these cannot.
#include "support.hpp"

#include <iostream>

namespace {

using namespace weir_test;
using namespace weir;

/// Of so many at most. (ThreadSanitizer forgets each schedule's stacks, which takes milliseconds.)
constexpr std::uint64_t most = weir::detail::with_tsan   ? 2'000
                               : weir::detail::with_asan ? 20'000
                                                         : 300'000;

/// Runs all of them; says how many there were.
void holds_always(const char* what, std::function<void()> body, int preemptions = 2) {
  const exploration e = explore_all({.preemptions = preemptions, .schedules_max = most}, body);
  std::cout << what << ": " << e.schedules << " schedules, " << e.distinct << " distinct\n";
  if (!sanitized) {
    EXPECT_TRUE(e.complete) << what << " is too large to be tried in full";
  }
}

TEST(exhaustive, a_value_and_a_cancel_at_the_same_time) {
  for (const int capacity : {0, 1}) {
    holds_always("receive beside cancel", [capacity] {
      const channel<int> ch{capacity};
      auto [ctx, cancel] = with_cancel(background());
      int received = 0;
      bool sent = false;
      wait_group wg;
      wg.go([&, ctx = ctx] { received = ch.receive(ctx) ? 1 : 0; });
      wg.go([&, ctx = ctx] { sent = ch.send(ctx, 1); });
      cancel();
      wg.wait();
      const int left = static_cast<int>(ch.size());
      require(received + left == (sent ? 1 : 0), "an item was lost or doubled");
    });
  }
}

TEST(exhaustive, a_close_beside_a_send_and_a_receive) {
  holds_always("close beside send and receive", [] {
    const channel<int> ch;
    wait_group wg;
    bool sent = false;
    bool received = false;
    wg.go([&] {
      try {
        ch.send(1);
        sent = true;
      } catch (const channel_closed&) {
      }
    });
    wg.go([&] { received = ch.receive().has_value(); });
    ch.close();
    wg.wait();
    require(sent == received, "delivered to nobody, or received from nobody");
  });
}

TEST(exhaustive, two_selects_that_meet) {
  holds_always("select meets select", [] {
    const channel<int> a;
    const channel<int> b;
    int given = 0;
    int taken = 0;
    wait_group wg;
    wg.go([&] { select(on_send(a, 1, [&] { given = 1; }), on_send(b, 2, [&] { given = 2; })); });
    wg.go([&] {
      select(on_receive(a, [&](auto v) { taken = *v; }),
             on_receive(b, [&](auto v) { taken = *v; }));
    });
    wg.wait();
    require(given == taken && given != 0, "they disagree");
  });
}

TEST(exhaustive, a_select_that_two_could_claim) {
  holds_always("two claim one select", [] {
    const channel<int> a{1};
    const channel<int> b{1};
    int got = 0;
    wait_group wg;
    wg.go(
        [&] { select(on_receive(a, [&](auto) { ++got; }), on_receive(b, [&](auto) { ++got; })); });
    wg.go([&] { a.send(1); });
    b.send(2);
    wg.wait();
    require(got == 1, "it fired twice, or never");
    require(a.size() + b.size() == 1, "the other item is gone");
  });
}

TEST(exhaustive, a_select_that_waits_for_a_context_and_a_channel) {
  holds_always("select beside cancel", [] {
    const channel<int> ch;
    auto [ctx, cancel] = with_cancel(background());
    int got = 0;
    wait_group wg;
    wg.go([&, ctx = ctx] {
      select(on_receive(ch, [&](auto v) { got = *v; }), on_done(ctx, [&] { got = -1; }));
    });
    wg.go([&, cancel = cancel] { cancel(); });
    const bool sent = ch.try_send(7);
    wg.wait();
    require(got == (sent ? 7 : -1), "the item went nowhere");
  });
}

TEST(exhaustive, a_mutex_a_semaphore_and_a_waiter_that_gives_up) {
  holds_always("mutex with a context", [] {
    const mutex m;
    auto [ctx, cancel] = with_cancel(background());
    int inside = 0;
    wait_group wg;
    for (int i = 0; i < 2; ++i) {
      wg.go([&, ctx = ctx] {
        if (!m.lock(ctx)) return;
        require(++inside == 1, "two are inside");
        schedule_point();
        --inside;
        m.unlock();
      });
    }
    cancel();
    wg.wait();
    require(m.try_lock(), "it stayed locked");
  });
  holds_always("semaphore with a context", [] {
    const semaphore s{2};
    auto [ctx, cancel] = with_cancel(background());
    s.acquire(1);
    wait_group wg;
    wg.go([&, ctx = ctx] {
      if (s.acquire(ctx, 2)) s.release(2);
    });
    wg.go([&] {
      s.acquire(1);
      s.release(1);
    });
    cancel();
    s.release(1);
    wg.wait();
    require(s.available() == 2, "something was not given back");
  });
}

TEST(exhaustive, a_child_made_while_its_parent_is_cancelled) {
  holds_always("with_cancel beside cancel", [] {
    auto [root, cancel] = with_cancel(background());
    wait_group wg;
    wg.go([root = root] {
      auto [child, c] = with_cancel(root);
      (void)child.done().receive();
      require(child.error() == errc::cancelled, "it ended otherwise");
    });
    cancel();
    wg.wait();
  });
}

TEST(exhaustive, two_that_cancel_a_tree_find_it_done) {
  holds_always("cancel beside cancel", [] {
    auto [root, cancel] = with_cancel(background());
    auto [child, keep] = with_cancel(root);
    wait_group wg;
    wg.go([&, cancel = cancel, child = child] {
      cancel();
      require(child.cancelled(), "cancel() returned too early");
    });
    cancel();
    require(child.cancelled(), "cancel() returned too early");
    wg.wait();
  });
}

TEST(exhaustive, a_callback_that_is_stopped_as_it_starts) {
  holds_always("after_func beside stop", [] {
    auto [ctx, cancel] = with_cancel(background());
    int ran = 0;
    const channel<int> over{1};
    const auto handle = after_func(ctx, [&] {
      ++ran;
      over.send(1);
    });
    wait_group wg;
    wg.go([cancel = cancel] { cancel(); });
    const bool stopped = handle.stop();
    wg.wait();
    if (!stopped) (void)over.receive();
    require(ran == (stopped ? 0 : 1), "stopped and run, or neither");
  });
}

TEST(exhaustive, a_wait_group_that_is_reused_at_once) {
  holds_always("wait_group reused", [] {
    const wait_group wg;
    const wait_group waiters;
    wg.add();
    waiters.go([=] { wg.wait(); });
    go([=] {
      wg.done();
      wg.add();
      wg.done();
    });
    waiters.wait();
    wg.wait();
  });
}

TEST(exhaustive, once_with_two_callers_of_which_the_first_throws) {
  holds_always("once", [] {
    const once first;
    int ran = 0;
    wait_group wg;
    for (int i = 0; i < 2; ++i) {
      wg.go([&] {
        first.call([&] {
          ++ran;
          schedule_point();
        });
        require(ran == 1, "it has not run, or twice");
      });
    }
    wg.wait();
  });
}

TEST(exhaustive, a_task_group_whose_tasks_fail_together) {
  holds_always("task_group", [] {
    task_group g{background()};
    for (int i = 0; i < 2; ++i) g.go([i] { throw i; });
    try {
      g.wait();
      require(false, "the error is lost");
    } catch (int) {
    }
  });
}

TEST(exhaustive, the_small_pool_of_the_article) {
  holds_always(
      "pool",
      [] {
        const channel<int> jobs;
        const channel<int> results;
        const wait_group workers;
        go([=] {
          for (int i = 1; i <= 2; ++i) jobs.send(i);
          jobs.close();
        });
        for (int w = 0; w < 2; ++w) {
          workers.go([=] {
            for (const int job : jobs) results.send(job * job);
          });
        }
        go([=] {
          workers.wait();
          results.close();
        });
        int sum = 0;
        for (const int r : results) sum += r;
        require(sum == 5, "a result is missing");
      },
      1);
}

}  // namespace
