// SPDX-License-Identifier: MIT
#pragma once
// How fine-grained is the work on this carrier? Measured, since it decides whether moving work to
// another processor pays: a task that is moved takes its cache lines along, which costs several
// hundred nanoseconds for each exchange with those that stayed.
//
// The meter counts events (switches between tasks, and operations on channels, which add what they
// counted when they block) and reads the clock at the end of a window of switches. Time per event
// above `coarse_ns` is coarse work: spread it. The window adapts: some 20 µs, so that the clock
// costs little when work is fine, and every switch is measured when it is coarse.

#include <algorithm>
#include <cstdint>

#include "runtime/clock.hpp"
#include "runtime/relaxed.hpp"

namespace weir::detail {

class grain_meter {
 public:
  /// Counts a switch; true when the window is over, and measure() is due.
  [[nodiscard]] bool count_switch() noexcept {
    const std::int64_t left = left_ - 1;
    left_ = left;
    return left <= 0 || hurried_;
  }
  [[nodiscard]] bool window_is_over() const noexcept { return left_ <= 0 || hurried_; }
  /// Switches since the window began.
  [[nodiscard]] std::int64_t switches() const noexcept { return window_ - left_; }
  /// By the watcher, from outside: measure at the next switch, for the work may have changed.
  void hurry() noexcept { hurried_ = true; }
  /// Channel operations that were done since the channel last reported.
  void count_operations(std::uint32_t n) noexcept { operations_ += n; }

  /// Closes the window at `now` and opens the next.
  void measure(time_ns now) noexcept {
    const std::int64_t switches = this->switches();
    const time_ns spent = std::max<time_ns>(now - since_, 0);
    const std::int64_t events = std::max<std::int64_t>(switches + operations_, 1);
    mean_ = spent / std::max<std::int64_t>(switches, 1);
    coarse_ = spent / events >= coarse_ns;
    // The window that would have taken window_ns at this pace, at most four times as long as the
    // last.
    const std::int64_t fitting = switches * window_ns / std::max<time_ns>(spent, 1);
    open(now, std::clamp<std::int64_t>(std::min(fitting, window_ * 4), 1, window_max));
  }
  /// Is the window, if it ends now, so long that the kernel may have run something else in it?
  [[nodiscard]] bool is_long(time_ns now) const noexcept { return now - since_ > 4 * window_ns; }
  /// Starts anew after a time that was not work, with a window of one switch: what comes may be of
  /// another kind.
  void restart(time_ns now) noexcept { open(now, 1); }
  [[nodiscard]] bool coarse() const noexcept { return coarse_; }
  /// Time per switch, without operations, in the last window; `never` before the first.
  [[nodiscard]] time_ns mean() const noexcept { return mean_; }
  /// The time, as of the beginning of the window: some 20 µs ago, or one switch.
  [[nodiscard]] time_ns now_about() const noexcept { return since_; }

 private:
  static constexpr time_ns coarse_ns = 1000;
  static constexpr time_ns window_ns = 20'000;
  static constexpr std::int64_t window_max = 64;

  void open(time_ns now, std::int64_t window) noexcept {
    since_ = now;
    window_ = window;
    left_ = window;
    operations_ = 0;
    hurried_ = false;
  }

  relaxed<time_ns> since_{0};
  relaxed<std::int64_t> window_{1};
  relaxed<std::int64_t> left_{1};
  relaxed<std::int64_t> operations_{0};
  relaxed<time_ns> mean_{never};
  relaxed<bool> coarse_{false};
  relaxed<bool> hurried_{false};
};

}  // namespace weir::detail
