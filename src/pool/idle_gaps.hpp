// SPDX-License-Identifier: MIT
#pragma once
// For how long does it pay to look out for the next job? A sleep and a wake-up cost the two sides
// some 25 to 50 us of processor time together, and the job as much time until it starts. Where
// jobs come so often that a worker waits no longer than that on average, it is no dearer to look
// out for all of the wait; and since waits vary, for longer than the average. Where they are rarer,
// a look-out costs at most what it may save. (Karlin, Manasse, McGeoch and Owicki, "Competitive
// randomized algorithms", 1990, on spinning, the known and the unknown distribution.)

#include <algorithm>

#include "runtime/clock.hpp"

namespace weir::detail {

/// A pool's; under its lock.
class idle_gaps {
 public:
  /// A worker has waited for so long.
  void learn(time_ns gap) noexcept { average_ += (std::min(gap, longest_ns) - average_) / 8; }
  /// How long to look out.
  [[nodiscard]] time_ns lookout() const noexcept {
    if (average_ > short_ns) return wake_up_ns;
    return std::max(3 * average_, wake_up_ns);  // 95 % of waits, if jobs come at random
  }

 private:
  static constexpr time_ns wake_up_ns = 50'000;  // what it takes at worst
  // Above the price of a wake-up, for what a worker waits contains one where it did not look out.
  static constexpr time_ns short_ns = 75'000;
  static constexpr time_ns longest_ns = 1'000'000;  // that counts: one pause is not for ever

  time_ns average_ = longest_ns;
};

}  // namespace weir::detail
