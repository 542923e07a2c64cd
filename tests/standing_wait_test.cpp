// SPDX-License-Identifier: MIT
// A task that waits for one context again and again keeps an entry in its queue
// (src/sync/standing_wait.hpp). Nobody may notice.
#include "sync/standing_wait.hpp"

#include "runtime/carrier.hpp"

#include <limits>

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
    wait_often(values, ctx, 1000);
    EXPECT_FALSE(stands());
    wait_often(values, ctx, 100);
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

TEST(standing_wait_test, a_semaphore_and_a_condition_wait_so_too) {
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
