// SPDX-License-Identifier: MIT
#pragma once
// For what is worth trying only if it often pays, as to spin for a moment before one sleeps: each
// time that it did not doubles how many occasions are left out before the next.

#include <algorithm>
#include <cstdint>

#include "port/relax.hpp"
#include "runtime/clock.hpp"

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

/// Until it has happened, or for so long.
template <class Happened>
void spin_until(const runtime_clock& clock, time_ns longest, Happened happened) {
  constexpr int rounds = 32;  // between two looks at the clock
  const time_ns end = clock.now() + longest;
  do {
    for (int i = 0; i < rounds; ++i) {
      if (happened()) return;
      port::relax();
    }
  } while (clock.now() < end);
}

/// The same, with one look in so long: where each takes from who is at work what it works on.
template <class Happened>
void look_until(const runtime_clock& clock, time_ns longest, time_ns between, Happened happened) {
  time_ns now = clock.now();
  for (const time_ns end = now + longest; now < end && !happened();) {
    const time_ns next = now + between;
    do {
      port::relax();
      now = clock.now();
    } while (now < next);
  }
}

}  // namespace weir::detail
