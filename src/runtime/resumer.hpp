// SPDX-License-Identifier: MIT
#pragma once
// Resumes the coroutines of a runtime. Who wakes one only puts it into the queue here; tasks, the
// runners, take it from there and resume it. So no coroutine runs under a lock, or on the stack of
// a stranger, and it may block like any task.
//
// A runner resumes one coroutine after the other: many that are woken together cost one switch. As
// it may stay away for long in any of them, there is always another one at hand, while anything
// could be woken; so wake() never has to start one, and cannot fail. Runners stay while there are
// coroutines that are suspended, and end with the last: to its runtime, a suspended coroutine is a
// task that has not ended.
//
// Invariants, under m_
//   R1  suspended_ > 0: a runner is parked or coming, or one is being started; or, if there was no
//       memory for another, all that there are run coroutines and look at the queue after that.
//   R2  queue_ is not empty: a runner is coming, or runs one and looks at the queue after that.
//   R3  a runner is parked exactly while it is in parked_; whoever takes it out wakes it.

#include <cstdint>

#include "runtime/relaxed.hpp"
#include "weir/detail/spin_lock.hpp"
#include "weir/detail/suspension.hpp"
#include "weir/detail/waiter.hpp"

namespace weir::detail {

class runtime_core;

class resumer {
 public:
  explicit resumer(runtime_core& rt) noexcept : rt_(rt) {}

  // See suspension.
  void expect();
  void wake(suspension& s) noexcept;
  void forget() noexcept;
  void withdraw(suspension& s) noexcept;

 private:
  static constexpr int parked_max = 4;   // more than that end: their stacks have better uses
  static constexpr int streak_max = 32;  // resumptions before other tasks get their turn

  struct runner {
    strand who;
    runner* next = nullptr;
  };

  void run();
  void resume_first();
  [[nodiscard]] bool park_or_end();
  void start_runner();
  [[nodiscard]] bool needs_another() const noexcept;
  void provide_another() noexcept;
  [[nodiscard]] runner* take_parked() noexcept;
  [[nodiscard]] runner* take_all_if_over() noexcept;
  static void wake_runners(runner* first) noexcept;
  void push(suspension& s) noexcept;
  void remove(suspension& s) noexcept;

  runtime_core& rt_;
  spin_lock m_;  // guards the rest
  suspension* first_ = nullptr;
  suspension* last_ = nullptr;
  std::int64_t suspended_ = 0;  // expected, and neither resumed nor forgotten
  runner* parked_ = nullptr;    // the last to park is the first to be woken: its stack is warm
  int parked_count_ = 0;
  int coming_ = 0;  // started or woken, and have not looked at the queue yet
  int running_ = 0;
  bool starting_ = false;
};

}  // namespace weir::detail
