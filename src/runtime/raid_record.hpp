// SPDX-License-Identifier: MIT
#pragma once
// Does it pay for a carrier that has just become idle to take what waits behind another's long
// piece of work, at once? It interrupts the other for some microseconds (gate.hpp). Where what it
// gets keeps it busy for longer, it does; a worker of a producer that computes between two small
// jobs is done in no time, and again after the next. The watcher takes it later in any case.

#include <utility>

#include "runtime/clock.hpp"
#include "runtime/reluctance.hpp"

namespace weir::detail {

/// A carrier's own.
class raid_record {
 public:
  /// The carrier has nothing to do.
  [[nodiscard]] bool is_worth_a_try(const runtime_clock& clock) noexcept {
    if (began_ != 0) reluctance_.learn(clock.now() - std::exchange(began_, 0) >= worth_ns);
    return reluctance_.gives_way();
  }
  /// It has taken something.
  void begin(const runtime_clock& clock) noexcept { began_ = clock.now(); }

 private:
  static constexpr time_ns worth_ns = 20'000;

  time_ns began_ = 0;
  reluctance reluctance_{10};
};

}  // namespace weir::detail
