// SPDX-License-Identifier: MIT
// Pools where there are no threads, and no memory.
#include "support.hpp"

#include "refusal.hpp"

namespace {

using namespace weir_test;
using namespace weir;

using pool_hardship = refusing;

[[noreturn]] void exit_with_0_after_a_first_job_without_memory() {
  const pool p{{.workers = 1}};
  no_memory = true;
  try {
    p.post([] {});
  } catch (const std::bad_alloc&) {  // it may be refused
  }
  std::_Exit(0);
}

TEST_F(pool_hardship, the_first_job_of_a_process_does_not_end_it_for_want_of_memory) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // where no job has been made yet
  EXPECT_EXIT(exit_with_0_after_a_first_job_without_memory(), testing::ExitedWithCode(0), "");
}

// A job each, on the stack of the one before.
int descend(const pool<>& p, int levels) {
  std::array<volatile char, 2048> frame{};
  frame[0] = 1;
  if (levels == 0) return frame[0];
  return p.submit([&p, levels] { return descend(p, levels - 1); }).get();
}

TEST_F(pool_hardship, a_job_below_another_that_finds_no_memory_for_its_stack_is_not_lost) {
  runtime rt{{.carriers = 1}};
  rt.run([] {
    const pool p{{.workers = 1}};
    for (int n = 0; n < 8; ++n) {
      auto f = p.submit([&] {
        allocations_left = n;
        return descend(p, 150);
      });
      try {
        EXPECT_EQ(f.get(), 1);
      } catch (const std::bad_alloc&) {  // of one level, told to all above
      }
      allocations_left = -1;
      p.wait();
    }
    EXPECT_EQ(p.stats().running, 0U);
  });
}

TEST_F(pool_hardship, a_pool_of_threads_ends_in_a_task_that_gets_no_thread_to_wait_with) {
  run([] {
    const pool p{{.workers = 2, .host = host::threads}};
    p.submit([] {}).get();
    threads_left = 0;
  });
}

TEST_F(pool_hardship, the_cause_of_a_stop_is_kept_though_the_report_has_no_memory) {
  const pool p{{.workers = 1}};
  const auto why = std::make_exception_ptr(std::runtime_error("why"));
  allocations_left = 0;
  EXPECT_THROW((void)p.stop(why), std::bad_alloc);
  allocations_left = -1;
  EXPECT_THROW(std::rethrow_exception(p.ctx().cause()), std::runtime_error);
}

TEST_F(pool_hardship, an_attempt_that_finds_no_memory_for_its_context_leaves_nothing_behind) {
  runtime rt{{.carriers = 1}};
  rt.run([] {
    const pool p{{.workers = 1, .timeout = 1h}};
    p.submit([] {}).get();
    for (int n = 0; n < 30; ++n) {
      auto held = std::make_shared<int>(0);
      {
        const auto [ctx, cancel] = with_cancel(with_value(background(), "held", held));
        auto f = p.submit(ctx, [](const context&) {});
        allocations_left = n;
        try {
          f.get();
        } catch (const std::bad_alloc&) {
        }
        allocations_left = -1;
        p.wait();
      }
      until([&] { return held.use_count() == 1; });
    }
  });
}

TEST_F(pool_hardship, a_watchdog_that_found_no_memory_once_looks_again) {
  for (int n = 0; n < 12; ++n) {
    runtime rt{{.carriers = 1}};
    rt.run([n] {
      const channel<int> seen{1};
      const pool p{{.workers = 1, .stuck_after = 4ms, .on_stuck = [=](const std::string&, auto) {
                      seen.send(1);
                    }}};
      auto f = p.submit([&] { (void)seen.receive(); });
      yield();
      allocations_left = n;  // of this carrier, whose tasks do all that there is to do
      f.get();
      allocations_left = -1;
    });
  }
}

TEST_F(pool_hardship, a_watched_pool_without_memory_for_its_timer_lets_the_others_run) {
  runtime rt{{.carriers = 1}};
  rt.run([] {
    const pool p{{.workers = 1}};  // (its jobs have left blocks for the other's)
    for (int i = 0; i < 8; ++i) p.submit([] {}).get();
    const channel<int> over{1};
    const pool watched{{.workers = 1, .stuck_after = 1h}};
    watched.submit([] {}).get();
    no_memory = true;
    watched.post([&] {
      yield();
      (void)over.try_send(1);
    });
    while (!over.try_receive()) yield();
    no_memory = false;
  });
}

}  // namespace
