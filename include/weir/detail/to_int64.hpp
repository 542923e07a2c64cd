// SPDX-License-Identifier: MIT
#pragma once
// Any integer as an int64: so that a size() may be given where an amount is wanted.

#include <concepts>
#include <cstdint>
#include <limits>
#include <utility>

namespace weir::detail {

/// The nearest value that an int64 has.
template <std::integral N>
  requires(!std::same_as<N, bool>)
[[nodiscard]] constexpr std::int64_t to_int64(N n) noexcept {
  if (std::in_range<std::int64_t>(n)) return static_cast<std::int64_t>(n);
  return (std::numeric_limits<std::int64_t>::max)();
}

/// What an int64 does not take without narrowing, or a warning.
template <class N>
concept other_integer =
    std::integral<N> && !std::same_as<N, bool> && !std::same_as<N, std::int64_t>;

}  // namespace weir::detail
