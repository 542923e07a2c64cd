// SPDX-License-Identifier: MIT
#pragma once
// timer and ticker: the time, received from a channel.
//
//   weir::ticker every{100ms};
//   for (auto when : every.channel()) report(when);      // stop() does not close the channel
//
// As in Go since 1.23 the channel acts as an unbuffered one: it holds no stale time after stop() or
// reset(), its size() and capacity() are 0, and a ticker drops ticks that nobody took in time. What
// is received is when it fired, not when it was taken. For a single wait use sleep_for, or after()
// in a select. Both are handles; the last one to go stops it. One that was moved from may only be
// assigned to and destroyed. Thread safety: any method, from anywhere.
//
// The clock is that of the runtime in which it was made or last reset (in a task that task's, in a
// plain thread the default one), for after_func, too: once that runtime has ended it fires no more.

#include <chrono>
#include <functional>

#include "channel.hpp"
#include "context.hpp"
#include "detail/duration.hpp"
#include "detail/intrusive.hpp"
#include "detail/shared_function.hpp"
#include "go.hpp"

namespace weir {

namespace detail {
class timer_state;

/// What timer and ticker share.
class timer_handle {
 public:
  /// Where the time is received from. Nil for after_func.
  [[nodiscard]] receiver<context::clock::time_point> channel() const;
  /// Lets it fire no more; true if it was still to fire. Does not close the channel.
  bool stop() const;

 protected:
  timer_handle(nanoseconds first, nanoseconds period, std::function<void()> f);
  /// True if it was still to fire.
  bool restart(nanoseconds first, nanoseconds period) const;
  /// Throws std::invalid_argument unless positive.
  static nanoseconds checked_period(nanoseconds p, const char* where);

 private:
  [[nodiscard]] timer_state& state() const noexcept;
  ref<shared_object> state_;
};
}  // namespace detail

/// Sends the time once, `d` from now; at once if d is not positive.
class timer : public detail::timer_handle {
 public:
  template <class Rep, class Period>
  explicit timer(std::chrono::duration<Rep, Period> d)
      : timer_handle(detail::to_nanoseconds(d), {}, nullptr) {}
  /// Fires d from now, whatever it was doing; true if it was still to fire.
  template <class Rep, class Period>
  bool reset(std::chrono::duration<Rep, Period> d) const {
    return restart(detail::to_nanoseconds(d), {});
  }

 private:
  template <class Rep, class Period>
  friend timer after_func(std::chrono::duration<Rep, Period> d, std::function<void()> f);
  timer(detail::nanoseconds d, std::function<void()> f) : timer_handle(d, {}, std::move(f)) {}
};

/// Sends the time every `period`, first after one period. Throws std::invalid_argument unless the
/// period is positive.
class ticker : public detail::timer_handle {
 public:
  template <class Rep, class Period>
  explicit ticker(std::chrono::duration<Rep, Period> period)
      : timer_handle(checked_period(detail::to_nanoseconds(period), "ticker"),
                     detail::to_nanoseconds(period), nullptr) {}
  /// The next tick comes one new period from now.
  template <class Rep, class Period>
  void reset(std::chrono::duration<Rep, Period> period) const {
    const auto p = checked_period(detail::to_nanoseconds(period), "ticker::reset");
    restart(p, p);
  }
};

/// Runs f in a task of its own, `d` from now: f itself, not a copy. stop() keeps it from starting,
/// and does not wait for it; reset() starts it (again), also while it runs: two tasks may be in it
/// then. Unlike a timer it fires even if no handle is left. Without memory for a task it runs on
/// the carrier. f may be what can only be moved.
template <class Rep, class Period>
timer after_func(std::chrono::duration<Rep, Period> d, std::function<void()> f) {
  detail::check_callable(f, "after_func");
  return timer(detail::to_nanoseconds(d), std::move(f));
}
template <class Rep, class Period, detail::only_moves F>
timer after_func(std::chrono::duration<Rep, Period> d, F f) {
  return after_func(d, detail::shared_function(std::move(f), "after_func"));
}

}  // namespace weir
