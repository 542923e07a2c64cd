// SPDX-License-Identifier: MIT
#pragma once
// Tasks: functions that run beside each other, at a thousandth of a thread's cost.
//
//   weir::go([] { std::puts("from a task"); });
//   weir::go("reader", [=] { for (auto line : lines) parse(line); });
//   int n = weir::run([] { weir::sleep_for(10ms); return 42; });   // main is a task, too
//
// A task runs until it waits for something of Weir's; the carrier thread then runs another one. It
// may go on on a different thread: do not keep thread-locals, errno or a std::mutex over anything
// of Weir's that can wait (this includes go(), which may let earlier tasks run first when very many
// are ready). A call that blocks the thread itself belongs into blocking(f).
//
// An exception that leaves a task ends the program, with a message that has the task's name, as a
// panic does in Go. When main returns the program ends without waiting for tasks, which are then
// abandoned: their destructors do not run. What cannot be stopped, a task that computes or is in
// the kernel, or a call in blocking(), has up to 100 ms to end before static objects are destroyed,
// and runs beside that if it has not.
//
// Ordering: what happened before go(f) is visible in f. The end of f is ordered with nothing: use a
// wait_group or a channel.
// Each task has a stack of its own, 256 KiB of address space (runtime_options::stack_size) of which
// only the pages it touches are real. Using more is reported as a stack overflow, with its name. (A
// function with a frame of pages that it does not touch may step over the guard below: compile with
// -fstack-clash-protection where there are such.)

#include <chrono>
#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "detail/duration.hpp"
#include "detail/spawn.hpp"

namespace weir {

class context;

/// Starts f as a task on the current runtime (in a plain thread: the default one). Throws
/// std::invalid_argument for an empty std::function, std::bad_alloc when no stack can be had,
/// std::system_error with errc::forked in a forked child of a process that has had a runtime, or
/// when no thread can be had; f has then not been started.
template <detail::callable_once F>
void go(F f) {
  detail::check_callable(f, "go");
  detail::spawn_callable(nullptr, {}, std::move(f));
}
/// The same with a name for messages and dumps; 31 bytes of it are kept.
template <detail::callable_once F>
void go(std::string_view name, F f) {
  detail::check_callable(f, "go");
  detail::spawn_callable(nullptr, name, std::move(f));
}

namespace detail {
using thunk = void (*)(void*);
/// Runs `body(argument)` as a task while this thread serves as a carrier; in a task: just calls it.
void run_as_task(runtime* where, thunk body, void* argument);
/// Runs `body(argument)` on a thread that no carrier needs; in a plain thread: just calls it.
void run_blocking(thunk body, void* argument);

/// Calls `call` with a thunk that runs f, and gives f's result or exception.
template <class F, class Call>
auto through_thunk(F& f, Call call) -> call_result<F> {
  using R = call_result<F>;
  constexpr bool is_void = std::is_void_v<R>;
  using kept = std::conditional_t<
      is_void, bool,
      std::conditional_t<std::is_reference_v<R>, std::add_pointer_t<R>, std::decay_t<R>>>;
  struct frame {
    F& f;
    std::optional<kept> result;
    std::exception_ptr error;
  } fr{f, std::nullopt, nullptr};
  call(
      [](void* p) {
        auto& self = *static_cast<frame*>(p);
        try {
          if constexpr (is_void) {
            call_it(self.f);
          } else if constexpr (std::is_reference_v<R>) {
            auto&& r = call_it(self.f);
            self.result.emplace(std::addressof(r));
          } else {
            self.result.emplace(call_it(self.f));
          }
        } catch (...) {
          self.error = std::current_exception();
        }
      },
      &fr);
  if (fr.error) std::rethrow_exception(std::move(fr.error));
  if constexpr (std::is_reference_v<R>) {
    return static_cast<R>(**fr.result);
  } else if constexpr (!is_void) {
    return std::move(*fr.result);
  }
}
}  // namespace detail

/// Runs f as a task and lends the calling thread as a carrier until f returns; gives f's result or
/// exception. Inside of it, main is as cheap as any task: a plain thread that waits costs the
/// kernel a wake-up. Called from a task it simply calls f. Tasks that f started go on after it.
template <detail::callable_once F>
auto run(F f) -> detail::call_result<F> {
  detail::check_callable(f, "run");
  return detail::through_thunk(
      f, [](detail::thunk body, void* arg) { detail::run_as_task(nullptr, body, arg); });
}

/// Calls f, which may block its thread (a file, a library, a sleep in the kernel), without holding
/// up other tasks: the task waits, while a thread that is kept for such calls runs f. Gives f's
/// result or exception. In a plain thread it simply calls f. Thread-locals in f are that thread's.
/// Each call that is under way costs a thread, and there is no bound on them but who calls: a
/// pool's workers, or a semaphore.
template <detail::callable_once F>
auto blocking(F f) -> detail::call_result<F> {
  detail::check_callable(f, "blocking");
  return detail::through_thunk(
      f, [](detail::thunk body, void* arg) { detail::run_blocking(body, arg); });
}

/// Lets other ready tasks (in a plain thread: other threads) run first.
void yield();

/// Waits at least until `when`, on the runtime's clock; returns at once if that has passed.
void sleep_until(std::chrono::steady_clock::time_point when);
/// As above; false when ctx is done first, which it looks at first.
[[nodiscard]] bool sleep_until(const context& ctx, std::chrono::steady_clock::time_point when);

namespace detail {
/// `d` from now on the runtime's clock, the end of time instead of an overflow.
[[nodiscard]] std::chrono::steady_clock::time_point time_after(
    std::chrono::steady_clock::duration d);
}  // namespace detail

/// Waits at least `d`; returns at once if it is not positive.
template <class Rep, class Period>
void sleep_for(std::chrono::duration<Rep, Period> d) {
  const auto wait = detail::to_nanoseconds(d);
  if (wait > wait.zero()) sleep_until(detail::time_after(wait));
}
/// As above; false when ctx is done first, which it looks at first.
template <class Rep, class Period>
[[nodiscard]] bool sleep_for(const context& ctx, std::chrono::duration<Rep, Period> d) {
  const auto wait = detail::to_nanoseconds(d);
  return sleep_until(ctx, detail::time_after(wait > wait.zero() ? wait : wait.zero()));
}

namespace this_task {
/// A number no other task of this process has or had; 0 in a plain thread. Each run of explore()
/// counts its tasks for itself, from 1: they have the same numbers when it is replayed.
[[nodiscard]] std::uint64_t id() noexcept;
/// The name given to go(), empty if none or in a plain thread.
[[nodiscard]] std::string name();
}  // namespace this_task

}  // namespace weir
