// SPDX-License-Identifier: MIT
// The end of the process in the middle of everything, and forks.
#include "support.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "runtime/runtime_core.hpp"
#include "weir/debug.hpp"
#include "weir/detail/sanitizers.hpp"

namespace {

using namespace weir_test;
using namespace weir;

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

TEST_F(end_death, a_blocking_call_may_end_before_static_destruction) {
  EXPECT_EXIT(
      {
        static std::atomic<bool> inside{false};
        static std::atomic<bool> ended{false};
        struct last {
          ~last() {
            if (!ended) std::_Exit(5);
          }
        };
        static const last at_the_end;
        go([] {
          blocking([] {
            inside = true;
            compute_for(5ms);
            ended = true;
          });
        });
        until([] { return inside.load(); });
        std::exit(0);
      },
      testing::ExitedWithCode(0), "^$");
}

TEST(end_test, who_ends_the_process_in_a_blocking_call_does_not_wait_for_that) {
  runtime rt{{.carriers = 1}};
  EXPECT_TRUE(rt.run([&] {
    return blocking(
        [&] { return rt.core().wait_for_calls(std::chrono::steady_clock::now() + 1h); });
  }));
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
