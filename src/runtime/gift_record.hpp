// SPDX-License-Identifier: MIT
#pragma once
// Does it pay to give the only task that waits here to an idle carrier, while this one goes on? To
// wake somebody takes some microseconds, some tens on a virtual machine. It pays if then both have
// work for a while. It does not if this carrier soon waits for what it gave away: of two tasks that
// answer each other, with 2 us of work between, each answer would come that much later. So a
// carrier remembers for how long both were busy, and tries seldom what did not pay; but once in a
// while, for work changes.
//
// The first of the two to become idle says how long it was (runtime_core::judge_gifts).

#include <algorithm>
#include <cstdint>

#include "runtime/clock.hpp"
#include "runtime/relaxed.hpp"

namespace weir::detail {

/// A carrier's own, but for learn(). What gets lost between carriers is a try more or less.
class gift_record {
 public:
  [[nodiscard]] bool is_worth_a_try(time_ns now) noexcept {
    left_out_ += 1;
    const bool is_due = left_out_ >= std::uint32_t{1} << exponent_ || now - last_ > longest_ns;
    if (is_due) {
      last_ = now;
      left_out_ = 0;
    }
    return is_due;
  }
  /// Both were busy for so long.
  void learn(time_ns together) noexcept {
    constexpr std::uint32_t most = 6;  // of 64 occasions at least one is taken
    const std::uint32_t exponent = exponent_;
    exponent_ = together >= worth_ns ? 0 : std::min(exponent + 1, most);
  }

 private:
  static constexpr time_ns worth_ns = 20'000;
  static constexpr time_ns longest_ns = 2'000'000;  // without a try

  relaxed<std::uint32_t> exponent_{0};
  relaxed<std::uint32_t> left_out_{0};
  relaxed<time_ns> last_{0};
};

}  // namespace weir::detail
