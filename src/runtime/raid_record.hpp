// SPDX-License-Identifier: MIT
#pragma once
// Does it pay for a carrier that has just become idle to take what waits behind another's long piece
// of work, at once? It interrupts the other for some microseconds (gate.hpp). Where what it gets
// keeps it busy for longer, it does; a worker of a producer that computes between two small jobs is
// done in no time, and again after the next. So each raid that did not pay doubles how often the
// carrier goes to sleep without one. The watcher takes it later in any case.

#include <algorithm>
#include <cstdint>
#include <utility>

#include "runtime/clock.hpp"

namespace weir::detail {

/// A carrier's own.
class raid_record {
 public:
  /// The carrier has nothing to do.
  [[nodiscard]] bool is_worth_a_try(const runtime_clock& clock) noexcept {
    if (began_ != 0) {
      const bool paid = clock.now() - std::exchange(began_, 0) >= worth_ns;
      reluctance_ = paid ? 0 : std::min(reluctance_ + 1, most_reluctance);
      left_out_ = 0;
    }
    return ++left_out_ >= std::uint32_t{1} << reluctance_;
  }
  /// It has taken something.
  void begin(const runtime_clock& clock) noexcept { began_ = clock.now(); }

 private:
  static constexpr time_ns worth_ns = 20'000;
  static constexpr unsigned most_reluctance = 10;

  time_ns began_ = 0;
  unsigned reluctance_ = 0;
  std::uint32_t left_out_ = 0;  // times without one, since the last
};

}  // namespace weir::detail
