// SPDX-License-Identifier: MIT
// No threads to be had, no memory, the end of the process in the middle of everything, forks.
#include "support.hpp"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>

#include "weir/debug.hpp"
#include "weir/detail/sanitizers.hpp"

namespace {
std::atomic<int> threads_left{1 << 30};
thread_local int allocations_left = -1;  // until one fails; negative: none does
std::atomic<int> refusals{0};            // of the next threads, so many
}  // namespace

#if !defined(WEIR_ASAN) && !defined(WEIR_TSAN) && !defined(__clang__)
#define WEIR_CAN_REFUSE 1
// In place of the system's: refuses when a test says so.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*start)(void*), void* argument) noexcept {
  using function = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto real = reinterpret_cast<function>(dlsym(RTLD_NEXT, "pthread_create"));
  if (threads_left.fetch_sub(1) <= 0 || refusals.fetch_sub(1) > 0) return EAGAIN;
  return real(thread, attributes, start, argument);
}
[[gnu::noinline]] void* operator new(std::size_t n) {
  if (allocations_left >= 0 && allocations_left-- == 0) throw std::bad_alloc();
  if (void* p = std::malloc(n)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
#else
#define WEIR_CAN_REFUSE 0
#endif

namespace {

using namespace weir_test;
using namespace weir;

class refusal_test : public testing::Test {
 protected:
  void SetUp() override {
    if (!WEIR_CAN_REFUSE) GTEST_SKIP() << "the sanitizer, or the compiler's library, has its own";
  }
  void TearDown() override { threads_left = 1 << 30; }
};

TEST_F(refusal_test, go_throws_when_there_is_no_thread_and_starts_nothing) {
  runtime rt{{.carriers = 2}};
  threads_left = 0;
  bool started = false;
  EXPECT_THROW(rt.go([&] { started = true; }), std::system_error);
  EXPECT_EQ(rt.tasks(), 0U);
  threads_left = 1 << 30;
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

class end_death : public testing::Test {
 protected:
  void SetUp() override {
    if (sanitized) GTEST_SKIP() << "a sanitizer's own exit comes in between";
    GTEST_FLAG_SET(death_test_style, "threadsafe");
  }
};

TEST_F(end_death, r99_ending_the_thread_in_a_task_ends_the_program) {
  EXPECT_DEATH(run([] { pthread_exit(nullptr); }), "");
}

TEST_F(end_death, exit_in_a_task_while_main_is_in_run) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EXIT(run([] {
                  go([] {
                    yield();
                    std::exit(3);
                  });
                  (void)channel<int>{}.receive();
                }),
                testing::ExitedWithCode(3), "^$");
  }
}

TEST_F(end_death, the_end_of_main_while_another_thread_is_in_run) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EXIT(
        {
          std::atomic<bool> there{false};
          std::thread([&] {
            run([&] {
              there = true;
              (void)channel<int>{}.receive();
            });
          }).detach();
          until([&] { return there.load(); });
          std::exit(0);
        },
        testing::ExitedWithCode(0), "^$");
  }
}

TEST_F(end_death, exit_in_a_task_stops_the_others_before_static_destruction) {
  EXPECT_EXIT(
      {
        go([] {});
        static std::atomic<bool> destroyed{false};
        struct last {
          ~last() {
            destroyed = true;
            compute_for(20ms);
          }
        };
        static const last at_the_end;  // younger than the runtime
        go([] {
          for (;;) {
            if (destroyed) std::abort();  // a task ran during static destruction
            yield();
          }
        });
        go([] { std::exit(4); });
        for (;;) pause();
      },
      testing::ExitedWithCode(4), "^$");
}

TEST_F(end_death, a_fault_that_is_sent_ends_the_program) {
  EXPECT_EXIT(
      {
        run([] {});
        raise(SIGSEGV);
        std::_Exit(1);
      },
      testing::KilledBySignal(SIGSEGV), "^$");
}

TEST_F(end_death, an_earlier_handler_of_faults_that_is_for_one_gets_one) {
  EXPECT_EXIT(
      {
        struct sigaction once {};
        once.sa_handler = [](int) { (void)!write(STDERR_FILENO, "once", 4); };
        once.sa_flags = static_cast<int>(SA_RESETHAND);
        sigaction(SIGSEGV, &once, nullptr);
        run([] {});
        alarm(10);
        *static_cast<volatile int*>(nullptr) = 1;  // NOLINT: the fault is the subject
      },
      testing::KilledBySignal(SIGSEGV), "^once$");
}

/// The exit code of a forked child that runs f; -1 if it has none.
template <class F>
int code_of_child(F f) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(10);
    f();
    _exit(1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(end_death, a_task_of_a_forked_child_ends_before_those_that_are_ready) {
  runtime rt{{.carriers = 1}};
  const pid_t parent = getpid();
  std::atomic<int> status{-1};
  rt.go([&] {  // on a carrier's own thread, which ends with the child's task
    const wait_group all;
    for (int i = 0; i < 20; ++i) {  // the work is fine, and has been for long
      all.go([] {
        for (int k = 0; k < 500; ++k) yield();
      });
    }
    for (int k = 0; k < 300; ++k) yield();
    all.go([&] {
      const pid_t child = fork();
      if (child == 0) return;  // the task ends
      int s = -1;
      waitpid(child, &s, 0);
      status = s;
    });
    for (int i = 0; i < 5; ++i) {
      all.go([=] {
        if (getpid() != parent) _exit(9);
      });
    }
    all.wait();
  });
  EXPECT_TRUE(rt.shutdown());
  EXPECT_TRUE(WIFEXITED(status)) << status;
  EXPECT_NE(WEXITSTATUS(status), 9);
}

TEST_F(end_death, a_forked_child_runs_no_task_of_its_parent) {
  std::atomic<int> ran{0};
  int status = -1;
  runtime rt{{.carriers = 1}};
  rt.run([&] {
    for (int i = 0; i < 3; ++i) rt.go([&] { ++ran; });
    const pid_t child = fork();
    if (child == 0) {
      const int before = ran;  // a fork takes long: another carrier may have begun in the parent
      try {
        yield();
        _exit(1);
      } catch (const std::system_error& e) {
        _exit(ran == before && e.code() == errc::forked ? 0 : 2);
      }
    }
    waitpid(child, &status, 0);
  });
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  until([&] { return ran == 3; });
}

TEST_F(end_death, a_child_of_a_process_that_had_a_runtime_is_refused_one) {
  {
    runtime().run([] {});
  }
  const int code = code_of_child([] {
    int right = 0;
    for (const auto& attempt : {std::function<void()>([] { go([] {}); }),
                                std::function<void()>([] { runtime().go([] {}); })}) {
      try {
        attempt();
      } catch (const std::system_error& e) {
        right += e.code() == errc::forked ? 1 : 0;
      }
    }
    _exit(right == 2 ? 0 : 2);
  });
  EXPECT_EQ(code, 0);
}

TEST_F(end_death, a_child_that_returns_from_a_blocking_call_ends) {
  EXPECT_EXIT(
      {
        int status = -1;
        run([&] {
          blocking([&] {
            const pid_t child = fork();
            if (child == 0) {
              alarm(5);
              return;
            }
            waitpid(child, &status, 0);
          });
        });
        std::_Exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
      },
      testing::ExitedWithCode(0), "^$");
}

TEST_F(end_death, a_daemon_whose_parent_had_only_a_monitor_has_one_of_its_own) {
  EXPECT_EXIT(
      {
        dump_tasks_on(SIGQUIT);
        std::_Exit(code_of_child([] {
          std::atomic<bool> relieved{false};
          runtime rt{{.carriers = 1}};
          rt.go([&] {
            rt.go([&] { relieved = true; });
            while (!relieved) {  // the only carrier is busy
            }
          });
          _exit(rt.shutdown() ? 0 : 1);
        }));
      },
      testing::ExitedWithCode(0), "^$");
}

}  // namespace
