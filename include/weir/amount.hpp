// SPDX-License-Identifier: MIT
#pragma once
// amount: how many of something. It takes an integer of any type,
//
//   weir::pool p{{.workers = 8, .queue = files.size()}};
//   p.post({.cost = {.memory = image.size()}}, [=] { resize(image); });
//
// where an int64 in braces would refuse a size, as narrowing, and reads as an int64. What no int64
// has, as a size_t of 2^63, is the largest: whoever takes the amount refuses that, by its name.

#include <concepts>
#include <cstdint>
#include <limits>
#include <utility>

namespace weir {

class amount {
 public:
  constexpr amount() = default;
  template <std::integral N>
    requires(!std::same_as<N, bool>)
  constexpr amount(N n) noexcept  // NOLINT: `.queue = 64`
      : value_(std::in_range<std::int64_t>(n) ? static_cast<std::int64_t>(n)
                                              : (std::numeric_limits<std::int64_t>::max)()) {}
  constexpr operator std::int64_t() const noexcept { return value_; }  // NOLINT: as above

 private:
  std::int64_t value_ = 0;
};

}  // namespace weir
