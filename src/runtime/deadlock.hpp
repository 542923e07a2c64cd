// SPDX-License-Identifier: MIT
#pragma once
// Finds out that nobody can go on any more. Asked, after a while, by whoever goes to sleep without
// a time limit: the last one finds it.

#include "runtime/clock.hpp"

namespace weir::detail {

/// How long to sleep before the first look; each further look of one sleep waits twice as long.
inline constexpr time_ns deadlock_patience_ns = 1'000'000'000;
inline constexpr time_ns deadlock_patience_max_ns = 64'000'000'000;

/// Looks whether every thread of the process sleeps in Weir without a time limit, and does what
/// set_on_deadlock() says. `own_carriers`: 1 if the caller is a carrier that would sleep now.
void check_deadlock(int own_carriers) noexcept;
/// WEIR_DEADLOCK, as it is now. Throws std::invalid_argument for one that is none.
void read_deadlock_setting();

}  // namespace weir::detail
