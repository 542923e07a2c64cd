// SPDX-License-Identifier: MIT
// Rule 97: when everybody waits, the program says so and ends; and the list of who waits for what.
#include "support.hpp"

#include <signal.h>
#include <unistd.h>

#include <functional>
#include <iostream>
#include <sstream>

namespace {

using namespace weir_test;
using namespace weir;

std::string dump() {
  std::ostringstream out;
  dump_tasks(out);
  return out.str();
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(dump_test, names_tasks_and_what_they_wait_for) {
  runtime rt{{.carriers = 1}};
  const channel<int> full{1};
  full.send(0);
  const channel<int> empty;
  const wait_group wg;
  wg.add(2);
  const mutex m;
  m.lock();
  auto [ctx, cancel] = with_cancel(background());
  rt.go("sender", [=] { full.send(1); });
  rt.go("receiver", [=] { (void)empty.receive(); });
  rt.go("selector", [=, ctx = ctx] { select(on_receive(empty), on_done(ctx)); });
  rt.go("waiter", [=] { wg.wait(); });
  rt.go("locker", [=] { m.lock(); });
  rt.go("sleeper", [=, ctx = ctx] { select(on_done(ctx), after(1h)); });
  until([&] {
    const std::string text = dump();
    return has(text, "'sender': send") && has(text, "'receiver': receive") &&
           has(text, "'selector': select") && has(text, "'waiter': wait") &&
           has(text, "'locker': lock") && has(text, "'sleeper': select");
  });
  const std::string text = dump();
  std::ostringstream address;
  EXPECT_TRUE(has(text, "'sender': send on channel 0x")) << text;
  EXPECT_TRUE(has(text, "(cap 1)")) << text;
  EXPECT_TRUE(has(text, "'receiver': receive on channel 0x")) << text;
  EXPECT_TRUE(has(text, "(cap 0)")) << text;
  EXPECT_TRUE(has(text, "'selector': select (cases 2)")) << text;
  EXPECT_TRUE(has(text, "'waiter': wait on wait_group 0x")) << text;
  EXPECT_TRUE(has(text, "(count 2)")) << text;
  EXPECT_TRUE(has(text, "'locker': lock of mutex 0x")) << text;
  (void)full.receive();
  empty.close();
  cancel();
  wg.add(-2);
  m.unlock();
}

TEST(dump_test, says_how_long_a_task_has_waited) {
  runtime rt{{.carriers = 1, .clock = clock_kind::virtual_time}};
  const channel<int> never;
  const std::string text = rt.run([&] {
    rt.go("patient", [=] { (void)never.receive(); });
    weir::sleep_for(150s);
    return dump();
  });
  EXPECT_TRUE(has(text, "(cap 0), 2 min")) << text;
  never.close();
}

TEST(dump_test, has_the_threads_that_wait) {
  const channel<int> empty;
  std::thread other([=] { (void)empty.receive(); });
  until([&] { return has(dump(), "thread "); });
  EXPECT_TRUE(has(dump(), "receive on channel 0x")) << dump();
  empty.close();
  other.join();
}

TEST(dump_test, is_made_while_a_thread_waits_for_the_end_of_time) {
  const channel<int> empty;
  std::atomic<bool> waits{false};
  std::thread other([&] {
    waits = true;
    select(on_receive(empty), after(std::chrono::hours::max()));
  });
  until([&] { return bool{waits}; });
  for (const auto end = context::clock::now() + 20ms; context::clock::now() < end;) {
    EXPECT_TRUE(has(dump(), "tasks, "));
  }
  empty.close();
  other.join();
}

class deadlock_death : public testing::Test {
 protected:
  void SetUp() override {
    if (sanitized) GTEST_SKIP() << "a sanitizer has threads of its own";
    GTEST_FLAG_SET(death_test_style, "threadsafe");
  }
};

TEST_F(deadlock_death, r97_a_program_whose_tasks_and_threads_all_wait_ends_with_the_list) {
  EXPECT_DEATH(
      {
        const channel<int> one;
        const channel<int> other;
        go("left", [=] {
          (void)one.receive();
          other.send(1);
        });
        (void)other.receive();
      },
      "every task and every thread waits(.|\n)*1 task, 1 waiting "
      "thread(.|\n)*'left': receive on channel 0x[0-9a-f]+ .cap 0.(.|\n)*thread [0-9]+ '.*': "
      "receive on channel");
}

TEST_F(deadlock_death, main_alone_waiting_for_ever_is_one) {
  EXPECT_DEATH((void)channel<int>{}.receive(), "every task and every thread waits");
}

TEST_F(deadlock_death, inside_run_too) {
  EXPECT_DEATH(run([] {
                 mutex m;
                 m.lock();
                 m.lock();
               }),
               "'main': lock of mutex");
}

TEST_F(deadlock_death, on_virtual_time_too) {
  EXPECT_DEATH(on_virtual_time([] { (void)channel<int>{}.receive(); }), "'main': receive");
}

TEST_F(deadlock_death, a_word_in_the_environment_that_is_none_is_named) {
  EXPECT_EXIT(
      {
        setenv("WEIR_DEADLOCK", "ingore", 1);
        try {
          go([] {});
        } catch (const std::invalid_argument& e) {
          std::cerr << e.what() << '\n';
          std::_Exit(7);
        }
      },
      testing::ExitedWithCode(7), "WEIR_DEADLOCK is \"ingore\"");
}

TEST_F(deadlock_death, the_environment_is_read_when_a_runtime_is_made_and_not_while_it_sleeps) {
  EXPECT_DEATH(
      {
        unsetenv("WEIR_DEADLOCK");
        run([] {});
        setenv("WEIR_DEADLOCK", "ignore", 1);  // in a program that knows of no other thread
        alarm(30);
        (void)channel<int>{}.receive();
      },
      "nothing can wake one \\(deadlock\\)");
}

TEST_F(deadlock_death, a_wrong_setting_does_not_keep_a_context_from_its_callbacks) {
  EXPECT_EXIT(
      {
        setenv("WEIR_CARRIERS", "abc", 1);
        const auto own = with_cancel(background());
        (void)after_func(own.ctx, [] { std::_Exit(7); });
        own.cancel();
      },
      testing::ExitedWithCode(7), "^$");
}

TEST_F(deadlock_death, a_bench_and_helper_threads_are_no_hope) {
  EXPECT_DEATH(
      {
        blocking([] {});
        run([] { blocking([] {}); });
        std::atomic<int> n{0};
        for (int i = 0; i < 4; ++i) {
          go([&] {
            compute_for(30ms);
            ++n;
          });
        }
        until([&] { return n == 4; });
        (void)channel<int>{}.receive();
      },
      "every task and every thread waits");
}

TEST_F(deadlock_death, a_setting_can_leave_it_at_the_report) {
  EXPECT_EXIT(
      {
        set_on_deadlock(on_deadlock::report);
        std::thread([] {
          // A thread that is unknown to Weir only for so long.
          (void)channel<int>{}.receive();
        }).detach();
        alarm(10);  // ends the program; the report comes after some two seconds
        (void)channel<int>{}.receive();
      },
      testing::KilledBySignal(SIGALRM), "every task and every thread waits");
}

TEST_F(deadlock_death, a_thread_that_may_still_wake_somebody_is_none) {
  EXPECT_EXIT(
      {
        const channel<int> ch;
        std::thread outsider([=] {
          usleep(2'500'000);  // tidy: sleep is the subject
          ch.send(1);
        });
        (void)ch.receive();
        outsider.join();
        std::_Exit(7);
      },
      testing::ExitedWithCode(7), "^$");
}

TEST_F(deadlock_death, a_sleeper_or_a_deadline_is_none) {
  EXPECT_EXIT(
      {
        const channel<int> ch;
        const auto limited = with_timeout(background(), 2500ms);
        go([ch] {
          weir::sleep_for(2400ms);
          (void)ch;
        });
        (void)ch.receive(limited.ctx);
        std::_Exit(7);
      },
      testing::ExitedWithCode(7), "^$");
}

/// Ends the program with 7 after two looks for a deadlock.
void end_with_7_after_looks() {
  ::signal(SIGALRM, [](int) { ::_exit(7); });
  ::alarm(3);
}

TEST_F(deadlock_death, a_thread_that_waits_for_the_end_of_time_is_none) {
  EXPECT_EXIT(
      {
        end_with_7_after_looks();
        std::thread([] {
          select(on_receive(channel<int>()), after(std::chrono::hours::max()));
        }).detach();
        weir::sleep_for(std::chrono::hours::max());
      },
      testing::ExitedWithCode(7), "^$");
}

TEST_F(deadlock_death, a_task_that_waits_for_the_end_of_time_is_none) {
  EXPECT_EXIT(
      {
        end_with_7_after_looks();
        run([] {
          go([] { select(on_receive(channel<int>()), after(std::chrono::nanoseconds::max())); });
          weir::sleep_until(context::clock::time_point::max());
        });
      },
      testing::ExitedWithCode(7), "^$");
}

/// What act() has written to stderr, and whoever comes after it, up to `last`; and passes it on.
void pass_on_stderr_until(const std::string& last, const std::function<void()>& act) {
  int ends[2] = {};
  if (::pipe(ends) != 0) std::_Exit(1);
  const int real = ::dup(STDERR_FILENO);
  ::dup2(ends[1], STDERR_FILENO);
  act();
  std::string text;
  while (!has(text, last)) {
    char part[512];
    const ssize_t n = ::read(ends[0], part, sizeof part);
    if (n <= 0) std::_Exit(1);
    text.append(part, static_cast<std::size_t>(n));
  }
  ::dup2(real, STDERR_FILENO);
  if (::write(STDERR_FILENO, text.data(), text.size()) < 0) std::_Exit(1);
}

TEST_F(deadlock_death, a_signal_prints_the_list_and_the_program_goes_on) {
  EXPECT_EXIT(
      {
        dump_tasks_on(SIGQUIT);
        const channel<int> ch;
        go("reader", [=] { (void)ch.receive(); });
        until([] { return has(dump(), "'reader': receive"); });
        pass_on_stderr_until("'reader': receive", [] { raise(SIGQUIT); });
        ch.send(1);
        std::_Exit(7);
      },
      testing::ExitedWithCode(7), "1 task, 0 waiting threads(.|\n)*'reader': receive on channel");
}

TEST(dump_test, a_number_that_is_no_signal_is_refused) {
  EXPECT_THROW(dump_tasks_on(12345), std::system_error);
}

}  // namespace
