// SPDX-License-Identifier: MIT
#pragma once
// Should a thread let others have its processor, with sched_yield(), before it sleeps? What it
// waits for often comes from a thread that is ready to run just there, and then neither has to be
// put to sleep and woken, which costs several times as much. But a neighbour that computes has the
// processor for the rest of its slice, some milliseconds, also when what was waited for is there,
// while who sleeps is woken at once. So each thread remembers whether it paid: if it was in vain,
// it is left out more and more often, and after one such slice nearly always. A thread that waits a
// few times only is spared the experiment. (reluctance.hpp forgets all that at the first success.
// Here that may be luck: beside who computes some yields pay, and the next takes a slice.)

#include <algorithm>
#include <cstdint>

#include "runtime/clock.hpp"

namespace weir::detail {

class yield_record {
 public:
  /// Less than the kernel gives to who computes: once a yield has taken so long, no other.
  static constexpr time_ns slice_ns = 1'000'000;

  /// Here is an occasion: to be taken?
  [[nodiscard]] bool is_worth_a_try() noexcept {
    if (++left_out_ < std::uint32_t{1} << exponent_) return false;
    left_out_ = 0;
    return true;
  }
  /// One has been taken, and it took so long. `paid`: what it waited for has come.
  void learn(bool paid, time_ns took) noexcept {
    if (took >= slice_ns) {
      exponent_ = hardly_ever;
    } else if (paid) {
      exponent_ -= std::min(exponent_, regained);
    } else {
      exponent_ = std::max(exponent_, std::min(exponent_ + 1, seldom));
    }
  }

 private:
  // Of 2^n occasions one is taken.
  static constexpr std::uint32_t at_first = 4;
  static constexpr std::uint32_t seldom = 6;
  static constexpr std::uint32_t hardly_ever = 12;
  static constexpr std::uint32_t regained = 2;

  std::uint32_t exponent_ = at_first;
  std::uint32_t left_out_ = 0;
};

}  // namespace weir::detail
