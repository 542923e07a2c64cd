// SPDX-License-Identifier: MIT
#pragma once
// Should a thread let others have its processor, with sched_yield(), before it sleeps? What it
// waits for often comes from a thread that is ready to run just there, and then neither has to be
// put to sleep and woken, which costs several times as much. But a neighbour that computes has the
// processor for the rest of its slice, some milliseconds, also when what was waited for is there,
// while who sleeps is woken at once. So threads remember whether it paid: if it was in vain, it is
// left out more and more often, and after one such slice nearly always.

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "runtime/clock.hpp"

namespace weir::detail {

/// One for all threads, whose neighbours are the same. What gets lost between them is a try more or
/// less.
class yield_record {
 public:
  /// Here is an occasion: to be taken? `left_out`: how many the thread has left out.
  [[nodiscard]] bool is_worth_a_try(std::uint32_t& left_out) const noexcept {
    // Ordering: relaxed; a hint.
    const bool is_due = ++left_out >= std::uint32_t{1} << exponent_.load(std::memory_order_relaxed);
    if (is_due) left_out = 0;
    return is_due;
  }
  /// One has been taken, and it took so long. `paid`: what it waited for has come.
  void learn(bool paid, time_ns took) noexcept {
    // Ordering: relaxed; a hint.
    const std::uint32_t now = exponent_.load(std::memory_order_relaxed);
    std::uint32_t next = std::max(now, std::min(now + 1, seldom));
    if (paid) next = now - std::min(now, regained);
    if (took >= slice_ns) next = hardly_ever;
    // Ordering: relaxed; as above.
    if (next != now) exponent_.store(next, std::memory_order_relaxed);
  }

 private:
  // Of 2^n occasions one is taken.
  static constexpr std::uint32_t seldom = 6;
  static constexpr std::uint32_t hardly_ever = 12;
  static constexpr std::uint32_t regained = 2;
  static constexpr time_ns slice_ns = 1'000'000;  // less than the kernel gives who computes

  std::atomic<std::uint32_t> exponent_{0};
};

}  // namespace weir::detail
