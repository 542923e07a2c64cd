// SPDX-License-Identifier: MIT
// A task that waits for one context again and again keeps an entry in its queue
// (src/sync/standing_wait.hpp). Nobody may notice.
#include "sync/standing_wait.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <future>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/carrier.hpp"

#include "support.hpp"

namespace {

using namespace weir_test;
using namespace weir;
using detail::standing_wait;

/// Here the third wait has an entry.
class quickly {
 public:
  // Ordering: relaxed in both; any number will do.
  quickly() { standing_wait::enough_waits.store(2, std::memory_order_relaxed); }
  ~quickly() { standing_wait::enough_waits.store(usual_, std::memory_order_relaxed); }
  quickly(const quickly&) = delete;
  quickly& operator=(const quickly&) = delete;

 private:
  const std::uint32_t usual_ = standing_wait::enough_waits.load(std::memory_order_relaxed);
};

/// Has this task an entry, for whatever context?
bool stands() {
  const detail::task* const t = detail::carrier::current_task();
  return t != nullptr && t->left != nullptr;
}

/// Waits `n` times for `values` and a context, on virtual time: each time the value comes later.
void wait_often(const channel<int>& values, const context& ctx, int n) {
  const wait_group sender;
  sender.go([=] {
    for (int i = 0; i < n; ++i) {
      yield();
      values.send(i);
    }
  });
  for (int i = 0; i < n; ++i) EXPECT_EQ(values.receive(ctx), i);
  sender.wait();
}

/// When the caller waits; it waits for that. (Not a copy of it: shared_ptr counts without atomics
/// as long as there is one thread, and for ThreadSanitizer each task is one.)
void cancel_later(const cancel_func& cancel) {
  go([&cancel] { cancel(); });
}

// ---- on one carrier, in order -------------------------------------------------------------------

TEST(standing_wait_test, the_usual_number_of_waits_in_a_row_makes_an_entry) {
  if (!port::has_process_barrier()) GTEST_SKIP() << "the kernel has no membarrier()";
  on_virtual_time([] {
    auto [ctx, cancel] = with_cancel(background());
    const channel<int> values;
    // Ordering: relaxed; nobody else is here.
    const std::uint32_t usual = standing_wait::enough_waits.load(std::memory_order_relaxed);
    wait_often(values, ctx, static_cast<int>(usual) - 1);
    EXPECT_FALSE(stands());
    wait_often(values, ctx, 1);
    EXPECT_TRUE(stands());
  });
}

TEST(standing_wait_test, waits_for_two_contexts_in_turn_make_none) {
  const quickly soon;
  on_virtual_time([] {
    auto [a, cancel_a] = with_cancel(background());
    auto [b, cancel_b] = with_cancel(background());
    const channel<int> values;
    for (int i = 0; i < 10; ++i) {
      wait_often(values, a, 1);
      wait_often(values, b, 1);
    }
    EXPECT_FALSE(stands());
  });
}

TEST(standing_wait_test, it_moves_to_the_context_that_is_waited_for_now) {
  const quickly soon;
  on_virtual_time([] {
    const channel<int> values;
    for (int i = 0; i < 3; ++i) {
      auto [ctx, cancel] = with_cancel(background());
      wait_often(values, ctx, 5);
      cancel();
      EXPECT_FALSE(values.receive(ctx));
    }
    auto [last, cancel_last] = with_cancel(background());
    wait_often(values, last, 5);
    cancel_later(cancel_last);
    EXPECT_FALSE(values.receive(last));
  });
}

TEST(standing_wait_test, a_wait_for_nothing_else_ends_with_the_context_all_the_same) {
  const quickly soon;
  on_virtual_time([] {
    auto [ctx, cancel] = with_cancel(background());
    const channel<int> values;
    wait_often(values, ctx, 5);
    cancel_later(cancel);
    EXPECT_FALSE(receiver<int>().receive(ctx));
    EXPECT_FALSE(values.receive(ctx)) << "nor later";
  });
}

TEST(standing_wait_test, a_deadline_ends_a_wait_too) {
  const quickly soon;
  on_virtual_time([] {
    auto [ctx, cancel] = with_timeout(background(), 1h);
    const channel<int> values;
    wait_often(values, ctx, 5);
    EXPECT_FALSE(values.receive(ctx));
    EXPECT_EQ(ctx.error(), errc::deadline_exceeded);
  });
}

TEST(standing_wait_test, the_context_may_go_before_the_task) {
  const quickly soon;
  on_virtual_time([] {
    const channel<int> values;
    {
      auto [ctx, cancel] = with_cancel(background());
      wait_often(values, ctx, 5);
    }
    EXPECT_EQ(values.try_receive().closed(), false);
  });
}

TEST(standing_wait_test, the_task_may_go_before_the_context) {
  const quickly soon;
  on_virtual_time([] {
    auto [ctx, cancel] = with_cancel(background());
    const wait_group crew;
    for (int i = 0; i < 3; ++i) {
      crew.go([ctx = ctx] { wait_often(channel<int>(), ctx, 5); });
    }
    crew.wait();
    cancel();
    EXPECT_TRUE(ctx.cancelled());
  });
}

TEST(standing_wait_test, all_who_stand_are_woken_and_those_who_work_find_it_done) {
  const quickly soon;
  on_virtual_time([] {
    auto [ctx, cancel] = with_cancel(background());
    const channel<int> never;
    const channel<int> go_on;
    const wait_group there;
    const wait_group crew;
    for (int i = 0; i < 20; ++i) {
      there.add();
      crew.go([=, ctx = ctx] {
        wait_often(channel<int>(), ctx, 5);
        there.done();
        if (i % 2 == 0) (void)go_on.receive();  // it stands, and waits without the context
        EXPECT_FALSE(never.receive(ctx));
      });
    }
    there.wait();
    yield();
    cancel();
    go_on.close();
    crew.wait();
  });
}

TEST(standing_wait_test, a_semaphore_waits_so_too) {
  const quickly soon;
  on_virtual_time([] {
    auto [ctx, cancel] = with_cancel(background());
    wait_often(channel<int>(), ctx, 5);
    const semaphore none{1};
    ASSERT_TRUE(none.try_acquire());
    cancel_later(cancel);
    EXPECT_FALSE(none.acquire(ctx));
    none.release();
    EXPECT_TRUE(none.try_acquire()) << "who was cancelled has left the queue";
  });
}

// ---- where it could do harm ---------------------------------------------------------------------

TEST(standing_wait_test, the_task_of_a_forked_child_ends_without_the_contexts_lock) {
  if (sanitized) GTEST_SKIP() << "a sanitizer's fork is its own affair";
  const quickly soon;
  auto [ctx, cancel] = with_cancel(background());
  std::promise<pid_t> child;
  runtime rt{{.carriers = 1}};
  rt.go([&, ctx = ctx] {  // on the carrier's thread, which in the child is the only one
    until([&] {
      wait_often(channel<int>(), ctx, 5);
      return stands();
    });
    detail::spin_lock& lock = ctx.done_core()->lock;
    std::atomic<bool> held{false};
    std::atomic<bool> over{false};
    std::thread other([&] {
      const std::lock_guard guard(lock);
      held = true;
      while (!over) std::this_thread::yield();
    });
    while (!held) std::this_thread::yield();
    const pid_t pid = fork();
    if (pid == 0) {
      ::alarm(10);  // a hang is a failure
      other.detach();
      return;
    }
    over = true;
    other.join();
    child.set_value(pid);
  });
  const pid_t pid = child.get_future().get();
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(standing_wait_test, it_makes_no_schedule_depend_on_addresses) {
  std::vector<std::unique_ptr<char[]>> kept;
  bool keep = true;
  const auto body = [&] {
    std::atomic<bool> over{false};
    const wait_group other;  // so that there are decisions
    other.go([&over] {
      while (!over) yield();
    });
    for (int i = 0; i < 4; ++i) {
      {
        const cancellable_context made = with_cancel(background());
        const channel<int> values;
        go([=] { values.send(1); });
        (void)values.receive(made.ctx);
      }
      // The next context may get the place of this one, or not.
      for (std::size_t n = 16; keep && n < 512; n += 16) {
        kept.push_back(std::make_unique<char[]>(n));
      }
    }
    over = true;
    other.wait();
  };
  const auto fingerprint = [&] { return explore({.seeds = 1, .first_seed = 7}, body).fingerprint; };
  const auto first = fingerprint();
  keep = false;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(fingerprint(), first);
}

TEST(standing_wait_test, a_schedule_that_fails_leaves_no_task_behind) {
  if (sanitized) GTEST_SKIP() << "a sanitizer maps memory of its own";
  const auto pages = [] {
    long n = 0;
    std::ifstream("/proc/self/statm") >> n;
    return n;
  };
  const auto fail = [] {
    auto [ctx, cancel] = with_cancel(background());
    const channel<int> values;
    go([=] {
      for (int i = 0; i < 5; ++i) values.send(i);
    });
    for (int i = 0; i < 5; ++i) (void)values.receive(ctx);
    require(false, "fails, and nothing else is left");
  };
  const auto fail_often = [&] {
    for (int i = 0; i < 20; ++i) {
      EXPECT_THROW((void)explore({.seeds = 1, .quiet = true}, fail), schedule_failure);
    }
  };
  fail_often();  // warm-up
  const long before = pages();
  fail_often();
  EXPECT_LT(pages() - before, 2000) << "each had left a runtime of 500 pages";
}

// ---- from all sides -----------------------------------------------------------------------------

WEIR_RULES(standing_wait_rules_test);

/// More than are sent before anybody cancels; a schedule may let a sender and a receiver go on for
/// ever.
int many() { return under_seeds ? 6 : std::numeric_limits<int>::max(); }

WEIR_RULE(standing_wait_rules_test, a_cancel_at_any_time_stops_a_worker_and_loses_no_value) {
  const quickly soon;
  for (int turn = 0; turn < turns(300); ++turn) {
    auto [ctx, cancel] = with_cancel(background());
    const channel<int> values;
    std::atomic<int> sent{0};
    std::atomic<int> received{0};
    for (int w = 0; w < 2; ++w) {
      crew_.spawn([&, values, ctx = ctx] {
        while (values.receive(ctx)) ++received;
      });
    }
    crew_.spawn([&, values, ctx = ctx] {
      for (int i = 0; i < many() && values.send(ctx, i); ++i) ++sent;
    });
    crew_.spawn([cancel = cancel, turn] {
      for (int i = 0; i < turn % 16; ++i) yield();
      cancel();
    });
    crew_.join();
    EXPECT_EQ(sent, received);
  }
}

WEIR_RULE(standing_wait_rules_test, whoever_receives_stops_although_nobody_sends_any_more) {
  const quickly soon;
  for (int turn = 0; turn < turns(300); ++turn) {
    auto [ctx, cancel] = with_cancel(background());
    const channel<int> values;
    std::atomic<int> received{0};
    crew_.spawn([&, values, ctx = ctx] {
      while (values.receive(ctx)) ++received;
    });
    crew_.spawn([values, cancel = cancel] {
      for (int i = 0; i < 4; ++i) values.send(i);
      cancel();  // while the other is on its way back to the channel
    });
    crew_.join();
    EXPECT_EQ(received, 4);
  }
}

WEIR_RULE(standing_wait_rules_test, a_parent_and_a_deadline_cancel_at_once) {
  const quickly soon;
  for (int turn = 0; turn < turns(100); ++turn) {
    auto [parent, cancel] = with_cancel(background());
    auto [ctx, cancel_child] = with_timeout(parent, 100us);
    const channel<int> values;
    crew_.spawn([values, ctx = ctx] {
      while (values.receive(ctx)) {
      }
    });
    crew_.spawn([values, ctx = ctx] {
      for (int i = 0; i < many() && values.send(ctx, i); ++i) {
      }
    });
    crew_.spawn([cancel = cancel] {
      weir::sleep_for(100us);
      cancel();
    });
    crew_.join();
    EXPECT_TRUE(ctx.cancelled());
  }
}

WEIR_RULE(standing_wait_rules_test, tasks_that_end_leave_a_context_that_is_cancelled_meanwhile) {
  const quickly soon;
  for (int turn = 0; turn < turns(300); ++turn) {
    auto [ctx, cancel] = with_cancel(background());
    const channel<int> values;
    crew_.spawn([values, ctx = ctx] {
      for (int i = 0; i < 5 && values.receive(ctx); ++i) {
      }
    });
    crew_.spawn([values, ctx = ctx] {
      for (int i = 0; i < 5 && values.send(ctx, i); ++i) {
      }
    });
    crew_.spawn([cancel = cancel] { cancel(); });
    crew_.join();
    EXPECT_FALSE(values.receive(ctx));
  }
}

}  // namespace
