// SPDX-License-Identifier: MIT
#pragma once
// Do small jobs run through, so that it pays to take several at once? One that waits holds up those
// behind it in its worker's hand for a millisecond or two, a thousand times what a handful saves;
// if it waits for one of them, that time is all lost. So each time that one has waited, handfuls
// are left out for many thousands of jobs, and for twice as many if it happens again soon.

#include <algorithm>
#include <cstdint>

namespace weir::detail {

/// A pool's; under its lock.
class handful_trust {
 public:
  /// Here is an occasion: to be taken?
  [[nodiscard]] bool gives_way() noexcept {
    if (left_out_ == 0) return true;
    --left_out_;
    return false;
  }
  /// Of one handful, a job has waited.
  void has_waited() noexcept {
    left_out_ = pause_;
    pause_ = std::min(2 * pause_, longest);
    in_a_row_ = 0;
  }
  /// One has run through.
  void has_run() noexcept {
    if (pause_ == shortest || ++in_a_row_ < pause_) return;
    pause_ /= 2;
    in_a_row_ = 0;
  }

 private:
  static constexpr std::uint32_t shortest = 1024;  // handfuls, each of which saves about 1 us
  static constexpr std::uint32_t longest = 1U << 20U;

  std::uint32_t left_out_ = 0;  // are still to be
  std::uint32_t pause_ = shortest;
  std::uint32_t in_a_row_ = 0;
};

}  // namespace weir::detail
