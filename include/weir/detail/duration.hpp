// SPDX-License-Identifier: MIT
#pragma once
// Any duration as nanoseconds: rounded up, and the longest there is in place of an overflow. One
// that is not a number is refused, with std::invalid_argument.

#include <chrono>
#include <stdexcept>

namespace weir::detail {

using nanoseconds = std::chrono::nanoseconds;

template <class Rep, class Period>
[[nodiscard]] constexpr nanoseconds to_nanoseconds(std::chrono::duration<Rep, Period> d) {
  using seconds = std::chrono::duration<double>;
  const seconds s = d;
  if (s != s) throw std::invalid_argument("weir: a duration that is not a number");
  if (s >= seconds(nanoseconds::max())) return nanoseconds::max();
  if (s <= seconds(nanoseconds::min())) return nanoseconds::min();
  return std::chrono::ceil<nanoseconds>(d);
}

}  // namespace weir::detail
