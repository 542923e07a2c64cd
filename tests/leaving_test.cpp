// SPDX-License-Identifier: MIT
// Threads that leave run(), runtimes that end, and who waits for them: nothing is stranded, and
// nobody waits for ever.
#include "support.hpp"

#include <system_error>

namespace {

using namespace weir_test;
using namespace weir;

void expect_closed(const std::function<void()>& f) {
  try {
    f();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), errc::closed);
  }
}

// ---- run() ends ---------------------------------------------------------------------------------

TEST(leaving_test, a_task_is_started_also_as_a_lent_thread_leaves) {
  for (int round = 0; round < turns(20); ++round) {
    runtime rt{{.carriers = 1}};
    std::atomic<bool> over{false};
    std::thread lender([&] {
      while (!over) rt.run([] {});
    });
    int ran = 0;  // one carrier
    for (int i = 0; i < 1000; ++i) rt.go([] {});
    over = true;
    lender.join();
    rt.run([&] { ++ran; });
    EXPECT_EQ(ran, 1);
  }
}

TEST(leaving_test, what_is_woken_as_a_lent_thread_leaves_runs) {
  std::uint32_t random = 1;
  for (int round = 0; round < turns(3000); ++round) {
    runtime rt{{.carriers = 1}};
    const channel<int> ch{1};
    std::atomic<bool> ready{false};
    std::atomic<bool> ran{false};
    random = random * 1103515245U + 12345U;
    std::thread waker([&, delay = std::chrono::nanoseconds((random >> 16U) % 3000)] {
      while (!ready) {
      }
      compute_for(delay);
      ch.send(1);
    });
    rt.run([&] {
      rt.go([&] {
        (void)ch.receive();
        ran = true;
      });
      yield();
      ready = true;
      compute_for(500ns);
    });
    waker.join();
    until([&] { return ran.load(); });
    ASSERT_TRUE(ran) << "round " << round;
  }
}

// ---- shutdown() gives up ------------------------------------------------------------------------

TEST(leaving_test, run_does_not_return_while_a_blocking_call_in_it_goes_on) {
  runtime rt;
  std::atomic<bool> inside{false};
  std::atomic<bool> may_end{false};
  std::atomic<bool> call_is_over{false};
  std::thread lender([&] {
    expect_closed([&] {
      rt.run([&] {
        blocking([&] {
          inside = true;
          while (!may_end) std::this_thread::yield();
          call_is_over = true;
        });
      });
    });
    EXPECT_TRUE(call_is_over);
  });
  until([&] { return inside.load(); });
  EXPECT_FALSE(rt.shutdown(soon().ctx));
  std::thread later([&] {
    compute_for(5ms);
    may_end = true;
  });
  lender.join();
  later.join();
}

TEST(leaving_test, run_from_another_runtimes_task_ends_with_the_runtime) {
  runtime other;
  const channel<int> never;
  std::atomic<bool> inside{false};
  std::atomic<bool> told{false};
  go([&] {
    expect_closed([&] {
      other.run([&] {
        inside = true;
        (void)never.receive();
      });
    });
    told = true;
  });
  until([&] { return inside.load(); });
  EXPECT_FALSE(other.shutdown(soon().ctx));
  until([&] { return told.load(); });
  expect_closed([&] { other.run([] {}); });
  never.close();  // wakes a task that never runs again
}

TEST(leaving_test, run_from_another_runtimes_task_waits_for_what_still_computes) {
  runtime other;
  std::atomic<bool> inside{false};
  std::atomic<bool> may_end{false};
  std::atomic<bool> ended{false};
  std::atomic<bool> told{false};
  go([&] {
    other.run([&] {
      inside = true;
      while (!may_end) {
      }
      ended = true;
    });
    EXPECT_TRUE(ended);
    told = true;
  });
  until([&] { return inside.load(); });
  EXPECT_FALSE(other.shutdown(soon().ctx));
  EXPECT_FALSE(told);
  may_end = true;
  until([&] { return told.load(); });
}

TEST(leaving_test, a_second_shutdown_after_one_that_gave_up_is_false_at_once) {
  runtime rt;
  const channel<int> never;
  rt.go([&] { (void)never.receive(); });
  EXPECT_FALSE(rt.shutdown(soon().ctx));
  EXPECT_FALSE(rt.shutdown());
  never.close();
}

TEST(leaving_test, a_shutdown_beside_one_that_gives_up_is_told) {
  runtime rt;
  const channel<int> never;
  rt.go([&] { (void)never.receive(); });
  std::thread patient([&] { EXPECT_FALSE(rt.shutdown()); });
  EXPECT_FALSE(rt.shutdown(soon().ctx));
  patient.join();
  never.close();
}

TEST(leaving_test, shutdown_in_an_own_task_is_a_mistake) {
  runtime rt;
  rt.run([&] { EXPECT_THROW((void)rt.shutdown(), std::logic_error); });
  EXPECT_TRUE(rt.shutdown());
}

// ---- virtual time -------------------------------------------------------------------------------

TEST(leaving_test, a_virtual_clock_has_one_carrier_whoever_runs_there) {
  runtime rt{{.clock = clock_kind::virtual_time}};
  std::atomic<int> there{0};
  std::atomic<int> inside{0};
  std::atomic<int> ran{0};
  std::vector<std::thread> lenders;
  for (int i = 0; i < 4; ++i) {
    lenders.emplace_back([&] {
      ++there;
      until([&] { return there == 4; });
      rt.run([&] {
        EXPECT_EQ(++inside, 1);
        compute_for(10ms);
        --inside;
        ++ran;
      });
    });
  }
  for (auto& t : lenders) t.join();
  EXPECT_EQ(ran, 4);
}

TEST(leaving_test, a_virtual_clock_waits_for_a_task_that_computes) {
  runtime rt{{.clock = clock_kind::virtual_time}};
  std::atomic<bool> started{false};
  std::atomic<bool> ended{false};
  rt.go([&] {
    started = true;
    compute_for(20ms);
    ended = true;
  });
  until([&] { return started.load(); });
  rt.run([&] {
    weir::sleep_for(1h);
    EXPECT_TRUE(ended);
  });
}

TEST(leaving_test, a_virtual_clock_waits_for_a_blocking_call_also_while_tasks_poll) {
  on_virtual_time([] {
    std::atomic<bool> call_has_ended{false};
    std::atomic<bool> hour_has_passed{false};
    go([&] {
      blocking([&] {
        compute_for(20ms);
        call_has_ended = true;
      });
    });
    go([&] {
      weir::sleep_for(1h);
      EXPECT_TRUE(call_has_ended);
      hour_has_passed = true;
    });
    while (!hour_has_passed) yield();
  });
}

}  // namespace
