// SPDX-License-Identifier: MIT
#pragma once
// wait_group, mutex, semaphore, once: for tasks and threads alike. All are handles: copies name the
// same thing. All serve waiters in order of arrival. A wait that takes a context returns false when
// the context is done first, and looks at it before anything else. What was moved from names
// nothing: it may only be assigned to and destroyed.
//
//   weir::wait_group done;
//   for (auto& part : parts) done.go([&] { work(part); });
//   done.wait();
//
// Thread safety: every method may be called by any task or thread at any time.

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "amount.hpp"
#include "context.hpp"
#include "detail/intrusive.hpp"
#include "detail/waiter.hpp"
#include "go.hpp"

namespace weir {

/// Waits until a number of things are done. Reusable once the earlier waits have returned.
/// Ordering: what happened before done() is visible after the wait() that it releases.
class wait_group {
 public:
  wait_group();
  /// Adds n (which may be negative) to the number that is waited for; at 0 every waiter is
  /// released. Throws std::logic_error, and changes nothing, if the count would be negative or
  /// overflow. Add before the work starts, not inside it: the waiter might come first.
  void add(amount n = 1) const;
  /// add(-1).
  void done() const { add(-1); }
  /// Blocks until the count is 0.
  void wait() const;
  /// As wait(); false when ctx is done first.
  [[nodiscard]] bool wait(const context& ctx) const;
  /// add(), then starts f as a task, then done() when f returns. An exception that leaves f ends
  /// the program, as from any task.
  template <detail::callable_once F>
  void go(F f) const {
    detail::check_callable(f, "wait_group::go");
    add();
    try {
      weir::go([f = std::optional<F>(std::move(f)), self = *this]() mutable {
        (void)detail::call_it(*f);
        f.reset();  // what it holds may be its waiter's
        self.done();
      });
    } catch (...) {
      done();
      throw;
    }
  }
  /// The number that is waited for now.
  [[nodiscard]] std::int64_t count() const noexcept;
  /// For Weir's own words.
  [[nodiscard]] const detail::ref<detail::shared_object>& shared_state() const noexcept {
    return state_;
  }

 private:
  detail::ref<detail::shared_object> state_;
};

/// A lock that a task may hold over anything of Weir's. Satisfies Lockable: use std::lock_guard,
/// std::unique_lock, std::scoped_lock. Not recursive. unlock() hands it to the first waiter, so
/// nobody starves; any task or thread may unlock it.
/// Ordering: what happened before unlock() is visible after the next lock().
class mutex {
 public:
  mutex();
  void lock() const;
  /// As lock(); false, and not held, when ctx is done first.
  [[nodiscard]] bool lock(const context& ctx) const;
  [[nodiscard]] bool try_lock() const;
  /// Throws std::logic_error if it is not locked.
  void unlock() const;

 private:
  detail::ref<detail::shared_object> state_;
};

/// Shares out n of something; takes any amount at once. A large request at the front is not
/// overtaken by small ones behind it, or it would starve.
/// Ordering: what happened before release() is visible after the acquire() that it allows.
class semaphore {
 public:
  /// Throws std::invalid_argument if n is negative.
  explicit semaphore(amount n);
  /// Blocks until n are there, and takes them. Throws std::invalid_argument if n is negative or
  /// more than the semaphore has in all: it would wait for ever.
  void acquire(amount n = 1) const;
  /// As acquire(); false, and nothing taken, when ctx is done first. More than there is in all
  /// waits for ctx, as in Go.
  [[nodiscard]] bool acquire(const context& ctx, amount n = 1) const;
  /// Takes n if they are there and nobody waits; never blocks.
  [[nodiscard]] bool try_acquire(amount n = 1) const;
  /// Gives n back. Throws std::logic_error, and changes nothing, if more than were taken.
  void release(amount n = 1) const;
  /// How many are free now.
  [[nodiscard]] std::int64_t available() const noexcept;

 private:
  detail::ref<detail::shared_object> state_;
};

/// Runs a function once. Whoever comes while it runs waits for its end. If it throws, that call
/// throws, and the once has still been used, as in Go. Calling it from its own function deadlocks.
/// Ordering: the function's effects are visible after any call().
class once {
 public:
  once();
  template <detail::callable_once F>
  void call(F f) const {
    detail::check_callable(f, "once::call");
    if (!begin()) return;
    struct ender {
      const once o;  // f may end the last other handle
      ~ender() { o.end(); }
    } e{*this};
    (void)detail::call_it(f);
  }
  template <detail::callable_once F>
  void operator()(F f) const {
    call(std::move(f));
  }
  /// Has the function ended?
  [[nodiscard]] bool called() const noexcept;

 private:
  [[nodiscard]] bool begin() const;
  void end() const noexcept;
  detail::ref<detail::shared_object> state_;
};

}  // namespace weir
