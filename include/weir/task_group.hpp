// SPDX-License-Identifier: MIT
#pragma once
// task_group: tasks that belong to one scope. The first that throws cancels the others.
//
//   weir::task_group g{ctx, {.limit = 8}};
//   for (auto& url : urls) g.go([&](const weir::context& ctx) { fetch(ctx, url); });
//   g.wait();                                     // rethrows the first exception
//
// Thread safety: go() and wait() may be called from any task or thread, go() also from the group's
// own tasks. With a limit, a task of the group that calls go() on its own full group waits for a
// place that may never come: give such a group no limit, or use try_go().

#include <concepts>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "context.hpp"
#include "go.hpp"

namespace weir {

struct task_group_options {
  /// How many tasks of the group may run at once; 0: as many as there are. Negative throws
  /// std::invalid_argument.
  std::int64_t limit = 0;
};

namespace detail {
struct task_group_state;
/// Takes a place, waiting if `wait`; false when there is none, or the group is cancelled.
[[nodiscard]] bool enter_group(task_group_state& g, bool wait);
/// Gives the place back; a non-null error cancels the group if it is the first.
void leave_group(task_group_state& g, std::exception_ptr error) noexcept;
[[nodiscard]] const context& group_context(const task_group_state& g) noexcept;
}  // namespace detail

class task_group {
 public:
  explicit task_group(const context& parent = background(), task_group_options options = {});
  /// Waits for every task, as wait(), but drops the exception. Does not cancel.
  ~task_group();
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;

  /// Starts f() or f(const context&) as a task of the group; waits for a place if there is a limit.
  /// Once the group is cancelled it starts nothing and returns: wait() says why.
  template <class F>
    requires std::invocable<F&> || std::invocable<F&, const context&>
  void go(F f) {
    detail::check_callable(f, "task_group::go");
    if (detail::enter_group(*state_, true)) start(std::move(f));
  }
  /// As go(), but false instead of waiting for a place, or when the group is cancelled.
  template <class F>
    requires std::invocable<F&> || std::invocable<F&, const context&>
  [[nodiscard]] bool try_go(F f) {
    detail::check_callable(f, "task_group::try_go");
    if (!detail::enter_group(*state_, false)) return false;
    start(std::move(f));
    return true;
  }
  /// Waits until every task has ended, cancels the group's context, and rethrows the first
  /// exception that left a task, if any.
  void wait();
  /// Cancels the group's context.
  void cancel();
  /// Done when the parent is, a task has thrown, cancel() was called, or wait() has returned.
  [[nodiscard]] const context& ctx() const noexcept;

 private:
  template <class F>
  void start(F f) {
    try {
      weir::go([held = std::optional<F>(std::move(f)), s = state_]() mutable {
        std::exception_ptr error;
        try {
          if constexpr (std::invocable<F&, const context&>) {
            (*held)(detail::group_context(*s));
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
