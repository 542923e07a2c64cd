// SPDX-License-Identifier: MIT
#pragma once
// The random numbers behind every choice of the scheduler and of select: xorshift64*
// (Marsaglia 2003, Vigna 2016), seeded through splitmix64 so that any seed will do.

#include <cstdint>

#include "runtime/relaxed.hpp"

namespace weir::detail {

class random_source {
 public:
  void seed(std::uint64_t s) noexcept {
    s += 0x9e3779b97f4a7c15U;
    s = (s ^ (s >> 30U)) * 0xbf58476d1ce4e5b9U;
    s = (s ^ (s >> 27U)) * 0x94d049bb133111ebU;
    s ^= s >> 31U;
    state_ = s == 0 ? 1 : s;
  }
  /// Uniform below n, which is not 0.
  [[nodiscard]] std::uint32_t below(std::uint32_t n) noexcept {
    std::uint64_t x = state_;
    x ^= x >> 12U;
    x ^= x << 25U;
    x ^= x >> 27U;
    state_ = x;
    const auto high = static_cast<std::uint32_t>((x * 0x2545f4914f6cdd1dU) >> 32U);
    // Lemire's multiplication in place of a division; its bias, n / 2^32, is below notice here.
    return static_cast<std::uint32_t>((std::uint64_t{high} * n) >> 32U);
  }

 private:
  relaxed<std::uint64_t> state_{1};
};

/// The current carrier's choice (a director's, if there is one), or the thread's own.
[[nodiscard]] std::uint32_t random_below(std::uint32_t n);

}  // namespace weir::detail
