// SPDX-License-Identifier: MIT
#pragma once
// task_group: tasks that belong to one scope. The first that throws cancels the others.
//
//   weir::task_group g{ctx, {.limit = 8}};
//   for (auto& url : urls) g.go([&](const weir::context& own) { fetch(own, url); });
//   g.wait();                                     // rethrows the first exception
//
// A group is for one use: it ends with wait(). When the parent's context is done first, functions
// that go() was given after that are not started, and wait() throws its error (errc::cancelled,
// errc::deadline_exceeded): so whoever sees it return knows that all of them ran. Only after the
// group's own cancel() are they left out without a word.
//
// Thread safety: go() and wait() may be called from any task or thread, go() also from the group's
// own tasks. With a limit, a task of the group that calls go() on its own full group waits for a
// place that may never come: give such a group no limit, or use try_go().

#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "amount.hpp"
#include "context.hpp"
#include "go.hpp"

namespace weir {

struct task_group_options {
  /// How many tasks of the group may run at once; 0: as many as there are. Negative throws
  /// std::invalid_argument.
  amount limit = 0;
};

namespace detail {
struct task_group_state;
/// Takes a place; false when there is none (if it does not wait), or the group is cancelled, which
/// wait() is to say (if it does). Throws std::logic_error when wait() has returned.
enum class group_entry : bool { tries, waits };
[[nodiscard]] bool enter_group(task_group_state& g, group_entry how);
/// Gives the place back; a non-null error cancels the group if it is the first.
void leave_group(task_group_state& g, std::exception_ptr error) noexcept;
[[nodiscard]] const context& group_context(const task_group_state& g) noexcept;
}  // namespace detail

class task_group {
 public:
  explicit task_group(const context& parent = background(), task_group_options options = {});
  /// Waits for every task, as wait(), but drops the exception. Does not cancel. Does not wait if
  /// the runtimes of all its tasks have given up, nor, if it is static, when main has returned.
  ~task_group();
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;

  /// Starts f() or f(const context&) as a task of the group; waits for a place if there is a limit.
  /// Once the group is cancelled it starts nothing and returns: wait() says why. Throws
  /// std::logic_error when wait() has returned.
  template <class F>
    requires std::invocable<F&> || std::invocable<F&, const context&>
  void go(F f) {
    detail::check_callable(f, "task_group::go");
    if (detail::enter_group(*state_, detail::group_entry::waits)) start(f);
  }
  /// As go(), but false instead of waiting for a place, or when the group is cancelled.
  template <class F>
    requires std::invocable<F&> || std::invocable<F&, const context&>
  [[nodiscard]] bool try_go(F f) {
    detail::check_callable(f, "task_group::try_go");
    if (!detail::enter_group(*state_, detail::group_entry::tries)) return false;
    start(f);
    return true;
  }
  /// Waits until every task has ended, cancels the group's context, and rethrows the first
  /// exception that left a task. If none did, but go() has not started a function, it throws
  /// std::system_error with ctx().error(). Called again, it throws the same again.
  void wait();
  /// As wait(); false when `until` is done first, which it looks at first: then the tasks go on.
  [[nodiscard]] bool wait(const context& until);
  /// Cancels the group's context: what is not started by now is not wanted, and no error.
  void cancel();
  /// Done when the parent is, a task has thrown, cancel() was called, or wait() has returned.
  [[nodiscard]] const context& ctx() const noexcept;

 private:
  /// f is moved under the try: one that throws has its place given back.
  template <class F>
  void start(F& f) {
    try {
      weir::go([held = std::optional<F>(std::move(f)), s = state_]() mutable {
        std::exception_ptr error;
        try {
          if constexpr (std::invocable<F&, const context&>) {
            (void)std::invoke(*held, detail::group_context(*s));
          } else {
            (*held)();
          }
        } catch (...) {
          error = std::current_exception();
        }
        held.reset();  // what it holds may be its waiter's
        detail::leave_group(*s, std::move(error));
      });
    } catch (...) {
      detail::leave_group(*state_, std::current_exception());
      throw;
    }
  }
  std::shared_ptr<detail::task_group_state> state_;
};

}  // namespace weir
