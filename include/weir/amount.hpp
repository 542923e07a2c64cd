// SPDX-License-Identifier: MIT
#pragma once
// amount: how many of something. It takes an integer of any type,
//
//   weir::pool p{{.workers = 8, .queue = files.size()}};
//   p.post({.cost = {.memory = image.size()}}, [=] { resize(image); });
//
// where an int64 in braces would refuse a size, as narrowing. It reads, and computes, as an int64;
// what wants exactly that type, as std::min() or the other side of a ?:, gets
// std::int64_t{o.queue}. What no int64 has, as a size_t of 2^63, is the largest: what cannot have
// so many refuses it, by its name.

#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

namespace weir {

namespace detail {
/// An integer, but no truth; an enumerator that is as good as one.
template <class N>
concept countable = (std::integral<N> && !std::same_as<N, bool>) ||
                    (std::is_enum_v<N> && std::convertible_to<N, std::int64_t>);
}  // namespace detail

class amount {
  using limits = std::numeric_limits<std::int64_t>;

 public:
  constexpr amount() = default;
  template <detail::countable N>
  constexpr amount(N n) noexcept : value_(nearest(+n)) {}              // NOLINT: `.queue = 64`
  constexpr operator std::int64_t() const noexcept { return value_; }  // NOLINT: as above

  // They stop at the ends of an int64.
  constexpr amount& operator+=(amount n) noexcept {
    if (__builtin_add_overflow(value_, n.value_, &value_)) value_ = end(n.value_ < 0);
    return *this;
  }
  constexpr amount& operator-=(amount n) noexcept {
    if (__builtin_sub_overflow(value_, n.value_, &value_)) value_ = end(n.value_ > 0);
    return *this;
  }
  constexpr amount& operator*=(amount n) noexcept {
    const bool negative = (value_ < 0) != (n.value_ < 0);
    if (__builtin_mul_overflow(value_, n.value_, &value_)) value_ = end(negative);
    return *this;
  }

 private:
  template <std::integral N>  // (a character has been promoted: in_range() takes none)
  static constexpr std::int64_t nearest(N n) noexcept {
    return std::in_range<std::int64_t>(n) ? static_cast<std::int64_t>(n) : end(false);
  }
  static constexpr std::int64_t end(bool negative) noexcept {
    return negative ? (limits::min)() : (limits::max)();
  }

  std::int64_t value_ = 0;
};

}  // namespace weir
