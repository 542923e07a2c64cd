// SPDX-License-Identifier: MIT
// Tasks and runtimes: their life, their limits, and what happens when something goes wrong.
#include "support.hpp"

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <set>

namespace {

using namespace weir_test;
using namespace weir;

TEST(go_test, r53_what_happened_before_go_is_visible_in_the_task) {
  for (int i = 0; i < turns(1000); ++i) {
    int plain = 0;
    wait_group wg;
    plain = 7;
    wg.go([&] { EXPECT_EQ(plain, 7); });
    wg.wait();
  }
}

TEST(go_test, tasks_have_names_and_numbers) {
  EXPECT_EQ(this_task::id(), 0U);
  EXPECT_EQ(this_task::name(), "");
  const channel<std::pair<std::uint64_t, std::string>> out{100};
  for (int i = 0; i < 100; ++i)
    go("reader", [=] { out.send({this_task::id(), this_task::name()}); });
  std::set<std::uint64_t> ids;
  for (int i = 0; i < 100; ++i) {
    const auto [id, name] = *out.receive();
    EXPECT_EQ(name, "reader");
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 100U);
  go(std::string(1000, 'x'), [=] { out.send({0, this_task::name()}); });
  EXPECT_EQ(out.receive()->second, std::string(31, 'x'));
}

TEST(go_test, numbers_are_of_one_task_in_all_runtimes) {
  std::set<std::uint64_t> ids;
  const auto own_id = [] { return this_task::id(); };
  for (int i = 0; i < 3; ++i) {
    runtime steady{{.carriers = 1}};
    runtime on_virtual{{.clock = clock_kind::virtual_time}};
    ids.insert({steady.run(own_id), on_virtual.run(own_id), run(own_id)});
  }
  EXPECT_EQ(ids.size(), 9U);
}

TEST(go_test, numbers_are_the_same_in_every_run_of_a_schedule) {
  std::vector<std::uint64_t> ids;
  explore(3, [&] { ids.push_back(this_task::id()); });
  EXPECT_EQ(ids, std::vector<std::uint64_t>(3, 1));
}

TEST(go_test, empty_functions_are_refused) {
  const std::function<void()> empty;
  EXPECT_THROW(go(empty), std::invalid_argument);
  EXPECT_THROW(run(empty), std::invalid_argument);
  EXPECT_THROW(wait_group{}.go(empty), std::invalid_argument);
  void (*null)() = nullptr;
  EXPECT_THROW(go(null), std::invalid_argument);
}

TEST(go_test, move_only_and_large_callables_are_started_and_destroyed) {
  const channel<int> out{2};
  go([p = std::make_unique<int>(3), out] { out.send(*p); });
  EXPECT_EQ(out.receive(), 3);
  std::array<char, 20'000> large{};
  large[19'999] = 5;
  go([large, out] { out.send(large[19'999]); });
  EXPECT_EQ(out.receive(), 5);
}

TEST(run_test, gives_the_result_or_the_exception) {
  EXPECT_EQ(run([] { return std::string("done"); }), "done");
  EXPECT_THROW(run([]() -> int { throw std::out_of_range("x"); }), std::out_of_range);
  int there = 0;
  EXPECT_EQ(&run([&]() -> int& { return there; }), &there);
  int&& taken = run([&]() -> int&& { return std::move(there); });
  EXPECT_EQ(&taken, &there);
  EXPECT_EQ(run([] { return run([] { return this_task::id(); }) == this_task::id(); }), true);
  EXPECT_EQ(*run([] { return std::make_unique<int>(4); }), 4);
}

TEST(run_test, works_from_many_threads_and_between_runtimes) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([i] {
      for (int k = 0; k < turns(200); ++k) {
        EXPECT_EQ(run([=] {
                    yield();
                    return i + k;
                  }),
                  i + k);
      }
    });
  }
  for (auto& t : threads) t.join();
  runtime other{{.carriers = 1}};
  EXPECT_EQ(run([&] { return other.run([] { return 9; }); }), 9);
}

TEST(task_test, keeps_its_exception_state_while_it_waits) {
  runtime rt{{.carriers = 1}};
  wait_group wg;
  for (int i = 0; i < 20; ++i) {
    wg.add();
    rt.go([i, wg] {
      try {
        throw i;
      } catch (int mine) {
        yield();  // others throw and catch on this thread meanwhile
        try {
          yield();
          throw;
        } catch (int same) {
          EXPECT_EQ(same, i);
        }
        EXPECT_EQ(mine, i);
        EXPECT_EQ(std::uncaught_exceptions(), 0);
      }
      wg.done();
    });
  }
  wg.wait();
}

/// How many results lay there at most when one of so many new tasks' results was taken.
std::size_t most_results_at_once(int tasks) {
  const channel<int> results{2 * tasks};
  std::size_t most = 0;
  wait_group ended;
  ended.go([=, &most] {
    for (int i = 0; i < tasks; ++i) {
      (void)results.receive();
      most = std::max(most, results.size());
    }
  });
  yield();  // it waits
  for (int i = 0; i < tasks; ++i) ended.go([=] { results.send(i); });
  ended.wait();
  return most;
}

/// Leaves the stacks of so many tasks that have waited to those that come.
void let_wait(int tasks) {
  const channel<int> gate;
  wait_group ended;
  for (int i = 0; i < tasks; ++i) ended.go([=] { (void)gate.receive(); });
  gate.close();
  ended.wait();
}

TEST(task_test, who_collects_from_a_crowd_of_new_tasks_finds_more_than_one_result) {
  on_virtual_time([] {
    EXPECT_GT(most_results_at_once(60), 30U);
    let_wait(80);
    EXPECT_GT(most_results_at_once(60), 30U) << "a stack's last task had waited";
    EXPECT_EQ(most_results_at_once(20), 0U) << "no crowd: it runs for each";
  });
}

TEST(blocking_test, does_not_hold_up_other_tasks) {
  runtime rt{{.carriers = 1}};
  const channel<int> gate;
  rt.run([&] {
    wait_group wg;
    wg.go([&] { EXPECT_EQ(blocking([&] { return gate.receive(); }), 5); });  // as a plain thread
    yield();
    gate.send(5);  // only reached if the one carrier is free
    wg.wait();
    EXPECT_THROW(blocking([] { throw 1; }), int);
  });
  EXPECT_EQ(blocking([] { return 2; }), 2);
}

TEST(runtime_test, can_be_made_used_and_destroyed_many_times) {
  for (int i = 0; i < turns(1000); ++i) {
    runtime rt{{.carriers = 1 + i % 3}};
    std::atomic<int> ran{0};
    for (int k = 0; k < 10; ++k)
      rt.go([&] {
        yield();
        ++ran;
      });
    EXPECT_TRUE(rt.shutdown());
    EXPECT_EQ(ran, 10);
    EXPECT_EQ(rt.tasks(), 0U);
  }
}

TEST(runtime_test, its_destructor_waits_for_its_tasks) {
  std::atomic<bool> ended{false};
  {
    runtime rt{{.carriers = 2}};
    rt.go([&] {
      weir::sleep_for(20ms);
      ended = true;
    });
  }
  EXPECT_TRUE(ended);
}

TEST(runtime_test, a_shutdown_that_gives_up_abandons_what_is_left) {
  const channel<int> never;
  auto rt = std::make_unique<runtime>(runtime_options{.carriers = 2});
  rt->go([=] { (void)never.receive(); });
  auto [ctx, cancel] = soon();
  EXPECT_FALSE(rt->shutdown(ctx));
  EXPECT_THROW(rt->go([] {}), std::system_error);
  rt.reset();
  never.close();  // wakes a task that never runs again
}

TEST(runtime_test, shutdown_refuses_new_tasks_from_outside_only) {
  runtime rt{{.carriers = 1}};
  std::atomic<bool> nested{false};
  const channel<int> begun;
  rt.go([&] {
    begun.send(1);
    weir::sleep_for(10ms);
    go([&] { nested = true; });
  });
  (void)begun.receive();
  EXPECT_TRUE(rt.shutdown());
  EXPECT_TRUE(nested);
  try {
    rt.go([] {});
    FAIL();
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), errc::closed);
  }
}

TEST(runtime_test, options_out_of_range_are_named) {
  EXPECT_THROW(runtime{{.carriers = -1}}, std::invalid_argument);
  EXPECT_THROW(runtime{{.carriers = 5000}}, std::invalid_argument);
  EXPECT_THROW((runtime{{.stack_size = 100}}), std::invalid_argument);
  EXPECT_THROW((runtime{{.stack_size = std::size_t(-1)}}), std::invalid_argument);
  EXPECT_THROW((runtime{{.carriers = 2, .clock = clock_kind::virtual_time}}),
               std::invalid_argument);
}

TEST(runtime_test, the_environment_overrides_the_number_of_carriers) {
  ::setenv("WEIR_CARRIERS", "3", 1);
  EXPECT_EQ(default_carriers(), 3);
  for (const char* bad : {"0", "-1", "x", "2x", "99999999999", "1025"}) {
    ::setenv("WEIR_CARRIERS", bad, 1);
    EXPECT_THROW((void)default_carriers(), std::invalid_argument) << bad;
  }
  ::unsetenv("WEIR_CARRIERS");
  EXPECT_GE(default_carriers(), 1);
}

TEST(runtime_test, heavy_tasks_use_every_carrier_also_when_they_never_yield) {
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "one processor";
  runtime rt{{.carriers = 2}};
  std::atomic<int> met{0};
  wait_group wg;
  for (int i = 0; i < 2; ++i) {
    wg.add();
    rt.go([&, wg] {
      ++met;
      const auto give_up = std::chrono::steady_clock::now() + 20s;
      while (met < 2 && std::chrono::steady_clock::now() < give_up) {
      }
      EXPECT_EQ(met, 2) << "the other task never ran beside this one";
      wg.done();
    });
  }
  wg.wait();
}

double cpu_seconds() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

TEST(runtime_test, an_idle_program_uses_no_cpu) {
  runtime rt{{.carriers = 4}};
  const channel<int> never;
  for (int i = 0; i < 100; ++i) rt.go([=] { (void)never.receive(); });
  rt.run([] { yield(); });
  EXPECT_TRUE(in_time([] {
    weir::sleep_for(50ms);  // let the carriers fall asleep
    const double before = cpu_seconds();
    weir::sleep_for(500ms);
    return cpu_seconds() - before < 0.02;
  }));
  never.close();
}

// ---- ends ---------------------------------------------------------------------------------------

TEST(end_test, r98_an_exception_that_leaves_a_task_ends_the_program_with_its_name) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        go("unlucky", [] { throw std::runtime_error("why"); });
        weir::sleep_for(10s);
      },
      "an exception left task [0-9]+ 'unlucky': std::runtime_error: why");
}

[[gnu::noinline]] int recurse(int n) {
  volatile char frame[512];  // NOLINT: a frame of some size
  frame[0] = static_cast<char>(n);
  if (n < 0) return 0;
  return recurse(n + 1) + frame[0];
}

TEST(end_test, a_stack_overflow_is_reported_with_the_tasks_name) {
  if (sanitized) GTEST_SKIP() << "the sanitizers report it themselves";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(run([] {
                 go("deep", [] { recurse(0); });
                 weir::sleep_for(10s);
               }),
               "stack overflow in task [0-9]+ 'deep': its stack is 256 KiB");
}

TEST(end_test, main_ends_without_waiting_for_tasks_and_before_static_destruction) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        static std::atomic<bool> destroyed{false};
        struct last {
          ~last() { destroyed = true; }
        };
        static const last at_the_end;
        go([] {
          for (;;) {
            if (destroyed) std::abort();  // a task ran during static destruction
            yield();
          }
        });
        go([] { weir::sleep_for(1h); });
        weir::sleep_for(10ms);
        std::exit(0);
      },
      testing::ExitedWithCode(0), "");
}

TEST(end_test, a_forked_child_is_told_at_once) {
  if (!forked_child_may_allocate) GTEST_SKIP() << "AddressSanitizer: the child could hang";
  run([] { yield(); });  // there is a runtime
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::alarm(10);  // a hang is a failure
    int right = 0;
    const auto expect_forked = [&](auto f) {
      try {
        f();
      } catch (const std::system_error& e) {
        if (e.code() == errc::forked) ++right;
      }
    };
    expect_forked([] { go([] {}); });
    expect_forked([] { run([] {}); });
    expect_forked([] { (void)channel<int>{}.receive(); });
    expect_forked([] { (void)with_timeout(background(), 1s); });
    ::_exit(right == 4 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
