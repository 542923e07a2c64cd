// SPDX-License-Identifier: MIT
#pragma once
// For what is worth trying only if it often pays: each time that it did not doubles how many
// occasions are left out before the next.

#include <algorithm>
#include <cstdint>

namespace weir::detail {

class reluctance {
 public:
  /// Of 2^most occasions at least one is taken.
  explicit reluctance(unsigned most) noexcept : most_(most) {}

  /// Here is an occasion: to be taken?
  [[nodiscard]] bool gives_way() noexcept { return ++left_out_ >= std::uint32_t{1} << exponent_; }
  void learn(bool it_paid) noexcept {
    left_out_ = 0;
    exponent_ = it_paid ? 0 : std::min(exponent_ + 1, most_);
  }

 private:
  const unsigned most_;
  unsigned exponent_ = 0;
  std::uint32_t left_out_ = 0;  // since the last
};

}  // namespace weir::detail
