// SPDX-License-Identifier: MIT
#pragma once
// Time, as nanoseconds of the steady clock, and the one place it comes from.

#include <atomic>
#include <chrono>
#include <cstdint>

#include "port/futex.hpp"

namespace weir::detail {

using time_ns = std::int64_t;
inline constexpr time_ns never = port::no_deadline;

[[nodiscard]] inline time_ns steady_now() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// The last time there is: what waits for it, or for a later one, waits for a time all the same,
/// and not for ever (`never`), which would be a deadlock where nobody else can wake it.
inline constexpr time_ns end_of_time = never - 1;

/// a + b, at most the end of time, for b >= 0.
[[nodiscard]] inline time_ns time_plus(time_ns a, time_ns b) noexcept {
  return a > end_of_time - b ? end_of_time : a + b;
}

/// A runtime's clock: the machine's, or one that stands still until it is told to move.
class runtime_clock {
 public:
  explicit runtime_clock(bool is_virtual) noexcept : virtual_(is_virtual) {}
  [[nodiscard]] time_ns now() const noexcept {
    // Ordering: relaxed; a time orders nothing.
    return virtual_ ? now_.load(std::memory_order_relaxed) : steady_now();
  }
  [[nodiscard]] bool is_virtual() const noexcept { return virtual_; }
  void advance_to(time_ns t) noexcept {
    // Ordering: relaxed; only the one carrier of a virtual runtime moves it.
    if (t > now_.load(std::memory_order_relaxed)) now_.store(t, std::memory_order_relaxed);
  }

 private:
  bool virtual_;
  std::atomic<time_ns> now_{1'000'000'000};
};

}  // namespace weir::detail
