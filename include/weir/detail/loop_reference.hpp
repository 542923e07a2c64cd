// SPDX-License-Identifier: MIT
#pragma once
// What a loop over received values is given: T&, or, where `for (T v : …)` could not copy, T&&.

#include <concepts>
#include <ranges>
#include <type_traits>

namespace weir::detail {

/// std::copy_constructible says yes to a vector of what can not be copied. (Whose elements are of
/// its own type, as those of a tree may be, is believed.)
template <class T>
inline constexpr bool can_be_copied = std::copy_constructible<T>;
template <std::ranges::range T>
  requires requires { typename T::allocator_type; } &&
               (!std::same_as<std::ranges::range_value_t<T>, T>)
inline constexpr bool can_be_copied<T> =
    std::copy_constructible<T> && can_be_copied<std::ranges::range_value_t<T>>;

template <class T>
using loop_reference = std::conditional_t<can_be_copied<T>, T&, T&&>;

}  // namespace weir::detail
