// SPDX-License-Identifier: MIT
#pragma once
// Any duration as nanoseconds: rounded up, and the longest there is in place of an overflow. One
// that is not a number is refused, with std::invalid_argument.

#include <chrono>
#include <concepts>
#include <cstdint>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace weir::detail {

using nanoseconds = std::chrono::nanoseconds;
__extension__ using wide_int = __int128;

inline constexpr std::int64_t nanoseconds_max = (std::numeric_limits<std::int64_t>::max)();
inline constexpr std::int64_t nanoseconds_min = (std::numeric_limits<std::int64_t>::min)();

/// A tick of Period is num * scale / den nanoseconds: with a den, it is no whole number of them.
template <class Period>
struct ticks {
  static constexpr std::intmax_t common = std::gcd(std::intmax_t{std::nano::den}, Period::den);
  static constexpr wide_int num = Period::num;
  static constexpr wide_int scale = std::nano::den / common;
  static constexpr wide_int den = Period::den / common;
};

/// Exact: in 64 bits the product overflows long before the result does.
template <class Period>
[[nodiscard]] constexpr std::int64_t nanoseconds_of_ticks(wide_int count) noexcept {
  using t = ticks<Period>;
  const wide_int many = count / t::den;
  constexpr wide_int most = nanoseconds_max / (t::num * t::scale);
  if (many > most) return nanoseconds_max;
  if (many < -most) return nanoseconds_min;
  // The rest is less than den, so that the next product has at most 126 bits, and the last 93.
  const wide_int rest = count % t::den * t::num;
  const wide_int last = rest % t::den * t::scale;
  const wide_int ns = many * t::num * t::scale + rest / t::den * t::scale + last / t::den +
                      (last % t::den > 0 ? 1 : 0);
  if (ns > nanoseconds_max) return nanoseconds_max;
  if (ns < nanoseconds_min) return nanoseconds_min;
  return static_cast<std::int64_t>(ns);
}

/// As exact as Number: a tenth of a second is not a nanosecond more because no binary fraction is.
template <class Period, std::floating_point Number>
[[nodiscard]] constexpr std::int64_t nanoseconds_of_ticks(Number count) noexcept {
  using t = ticks<Period>;
  const Number ns = count * static_cast<Number>(t::num * t::scale) / static_cast<Number>(t::den);
  constexpr auto end = static_cast<Number>(nanoseconds_min);  // a power of two: exact
  if (ns >= -end) return nanoseconds_max;
  if (ns <= end) return nanoseconds_min;
  const auto whole = static_cast<std::int64_t>(ns);
  return static_cast<Number>(whole) < ns ? whole + 1 : whole;
}

template <class Rep, class Period>
[[nodiscard]] constexpr nanoseconds to_nanoseconds(std::chrono::duration<Rep, Period> d) {
  if constexpr (std::integral<Rep>) {
    return nanoseconds(nanoseconds_of_ticks<typename Period::type>(wide_int{d.count()}));
  } else if constexpr (std::floating_point<Rep>) {
    if (d.count() != d.count()) {
      throw std::invalid_argument("weir: a duration that is not a number");
    }
    return nanoseconds(nanoseconds_of_ticks<typename Period::type>(d.count()));
  } else {
    return to_nanoseconds(std::chrono::duration<long double, Period>(d));  // somebody's own numbers
  }
}

}  // namespace weir::detail
