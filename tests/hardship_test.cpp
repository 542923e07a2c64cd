// SPDX-License-Identifier: MIT
// No threads to be had, no memory, ends in the middle of everything.
#include "support.hpp"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "refusal.hpp"

namespace {

using namespace weir_test;
using namespace weir;

using refusal_test = refusing;

TEST_F(refusal_test, go_throws_when_there_is_no_thread_and_starts_nothing) {
  runtime rt{{.carriers = 2}};
  threads_left = 0;
  bool started = false;
  EXPECT_THROW(rt.go([&] { started = true; }), std::system_error);
  EXPECT_EQ(rt.tasks(), 0U);
  threads_left = any_number;
  until([&] {  // what failed is not tried again for some milliseconds
    try {
      rt.go([] {});
      return true;
    } catch (const std::system_error&) {
      return false;
    }
  });
  EXPECT_TRUE(rt.shutdown());
  EXPECT_FALSE(started);
}

TEST_F(refusal_test, a_second_carrier_that_cannot_start_costs_no_task) {
  threads_left = 1;
  runtime rt{{.carriers = 4}};
  std::array<std::atomic<int>, 200> ran{};
  rt.go([&] {
    wait_group all;
    for (auto& mine : ran) {
      all.go([&] {
        ++mine;
        compute_for(100us);
        yield();
      });
    }
    all.wait();
  });
  EXPECT_TRUE(rt.shutdown());
  for (auto& mine : ran) EXPECT_EQ(mine, 1);
}

TEST_F(refusal_test, what_was_woken_when_there_was_no_thread_runs_once_there_is_one) {
  for (int round = 0; round < 20; ++round) {  // in some a carrier has been started before
    runtime rt{{.carriers = 1}};
    const channel<int> ch{1};
    std::atomic<bool> ran{false};
    rt.run([&] {
      rt.go([&] {
        (void)ch.receive();
        ran = true;
      });
      yield();
    });
    refusals = 1;
    ch.send(1);
    until([&] { return ran.load(); });
    refusals = 0;
    ASSERT_TRUE(ran);
  }
}

[[noreturn]] void exit_with_1_if_a_deadline_is_refused() {
  threads_left = 0;
  int refused = 0;
  try {
    (void)with_timeout(background(), 50ms);
  } catch (const std::system_error&) {
    refused = 1;
  }
  std::_Exit(refused);
}

TEST_F(refusal_test, a_deadline_that_nobody_could_keep_is_refused) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // where no carrier is there yet
  EXPECT_EXIT(exit_with_1_if_a_deadline_is_refused(), testing::ExitedWithCode(1), "");
}

TEST_F(refusal_test, what_a_context_calls_runs_here_if_no_task_can_be_started) {
  std::atomic<bool> called{false};
  const auto [ctx, cancel] = with_cancel(background());
  (void)after_func(ctx, [&] { called = true; });
  threads_left = 0;
  cancel();
  until([&] { return called.load(); });  // as a task, if there is a default runtime already
}

TEST_F(refusal_test, run_that_gets_no_memory_has_run_all_of_it_or_nothing) {
  run([] {});
  bool refused = true;
  for (int n = 0; refused; ++n) {
    ASSERT_LT(n, 50);
    std::thread([&] {  // a new one, which has nothing of a carrier's yet
      std::atomic<int> ran{0};
      allocations_left = n;
      try {
        run([&] { ++ran; });
        EXPECT_EQ(ran, 1);
      } catch (const std::bad_alloc&) {
        EXPECT_EQ(ran, 0);
      }
      refused = allocations_left < 0;
      allocations_left = -1;
    })
        .join();
  }
}

void wait_without_memory(const channel<int>& ch) {
  allocations_left = 0;
  select(on_receive(ch), after(1h));
}

TEST_F(refusal_test, a_select_that_gets_no_memory_for_its_timer_leaves_nothing_behind) {
  runtime rt{{.carriers = 1}};
  rt.run([] {
    const channel<int> ch;
    EXPECT_THROW(wait_without_memory(ch), std::bad_alloc);
    std::array<char, 4096> scribble{};  // over where its nodes were
    std::memset(scribble.data(), 0x5a, scribble.size());
    EXPECT_FALSE(ch.try_send(1)) << scribble[1];
  });
}

TEST(stuck_test, new_tasks_on_reused_stacks_are_taken_from_a_stuck_carriers_mail) {
  runtime rt{{.carriers = 2}};
  std::atomic<int> warm{0};
  for (int i = 0; i < 2000; ++i) rt.go([&] { ++warm; });
  until([&] { return warm == 2000; });
  std::atomic<bool> started{false};
  std::atomic<bool> over{false};
  rt.go([&] {
    started = true;
    while (!over) {
    }
  });
  until([&] { return started.load(); });
  std::atomic<int> ran{0};
  for (int i = 0; i < 8; ++i) rt.go([&] { ++ran; });
  until([&] { return ran == 8; });
  over = true;
  EXPECT_TRUE(rt.shutdown());
}

TEST(stuck_test, what_a_task_starts_that_has_lost_its_right_is_relieved_again) {
  runtime rt{{.carriers = 1}};
  std::atomic<bool> busy{true};
  std::atomic<bool> late_ran{false};
  std::atomic<int> others{0};
  rt.go([&] {
    for (int i = 0; i < 2; ++i) {
      rt.go([&] {  // keeps the replacement busy
        ++others;
        while (busy) yield();
      });
    }
    while (others < 2) {
    }
    rt.go([&] { late_ran = true; });
    while (!late_ran) {
    }
    busy = false;
  });
  EXPECT_TRUE(rt.shutdown());
  EXPECT_TRUE(late_ran);
}

TEST(shutdown_test, a_task_is_started_or_refused_but_never_dropped) {
  for (int round = 0; round < turns(300); ++round) {
    std::atomic<long> ran{0};
    long accepted = 0;
    runtime rt{{.carriers = 1}};
    std::atomic<bool> going{false};
    std::thread outsider([&] {
      try {
        for (;;) {
          rt.go([&] { ++ran; });
          ++accepted;
          going = true;
        }
      } catch (const std::system_error& e) {
        EXPECT_EQ(e.code(), errc::closed);
      }
    });
    until([&] { return going.load(); });
    EXPECT_TRUE(rt.shutdown());
    outsider.join();
    ASSERT_EQ(ran, accepted);
  }
}

TEST(shutdown_test, run_does_not_return_while_its_function_runs) {
  runtime rt{{.carriers = 2}};
  std::atomic<bool> inside{false};
  std::atomic<bool> returned{false};
  std::atomic<bool> ran_after{false};
  std::atomic<bool> given_up{false};
  const channel<int> ch;
  std::thread lender([&] {
    try {
      rt.run([&] {
        rt.go([&] {
          compute_for(2ms);
          ch.send(1);
          compute_for(1ms);
        });
        (void)ch.receive();  // goes on where it was woken: on the other carrier
        inside = true;
        while (!given_up) {
        }
        compute_for(2ms);
        if (returned) ran_after = true;
      });
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code(), errc::closed);
    }
    returned = true;
  });
  until([&] { return inside.load(); });
  EXPECT_FALSE(rt.shutdown(soon().ctx));
  given_up = true;
  lender.join();
  EXPECT_FALSE(ran_after);
}

TEST(shutdown_test, a_deadline_outlives_the_run_in_which_it_was_made) {
  runtime rt{{.carriers = 1}};
  auto [ctx, cancel] = rt.run([] { return with_timeout(background(), 20ms); });
  EXPECT_FALSE(ctx.done().receive());
  EXPECT_EQ(ctx.error(), errc::deadline_exceeded);
}

}  // namespace
