// SPDX-License-Identifier: MIT
#pragma once
// How long who finds a lock taken stays away from it before the next try.
//
// A moment, if its holder goes on to something else: soon it is free. But one that takes it again
// and again, as who sends into a channel does, loses the lock's cache line with each try of others,
// and then waits for it as they do: both are slower than one alone. If they stay away it has many
// turns in a row, each from its own cache; and then it is they who have many. (Back-off: Anderson,
// "The performance of spin lock alternatives for shared-memory multiprocessors", 1990.)

#include <algorithm>
#include <cstdint>

namespace weir::detail {

inline constexpr std::uint8_t most_time_away = 64;  // moments: 3 µs where one is 140 cycles

/// After one that was `now` long, when the lock's holder was the one `again` turns before, too.
[[nodiscard]] constexpr std::uint8_t next_time_away(std::uint8_t now,
                                                    std::uint32_t again) noexcept {
  constexpr std::uint32_t often = 2;
  const int next = again >= often ? std::min(now * 2, int{most_time_away}) : std::max(now / 2, 1);
  return static_cast<std::uint8_t>(next);
}

}  // namespace weir::detail
