// SPDX-License-Identifier: MIT
#pragma once
// How a stream calls its function: with the job alone, or with a context before it. See
// process.hpp.

#include <concepts>
#include <type_traits>
#include <utility>
#include <variant>

#include "../context.hpp"

namespace weir::detail {

template <class F, class T>
inline constexpr bool stream_takes_context = std::invocable<F&, const context&, T>;
template <class F, class T>
concept stream_function = stream_takes_context<F, T> || std::invocable<F&, T>;

template <class F, class T>
decltype(auto) call_stream(F& f, [[maybe_unused]] const context& ctx, T&& item) {
  if constexpr (stream_takes_context<F, T>) {
    return f(ctx, std::forward<T>(item));
  } else {
    return f(std::forward<T>(item));
  }
}

/// What a stream gives: f's result, or monostate for a function without.
template <class F, class T>
using stream_result = std::conditional_t<
    std::is_void_v<decltype(call_stream(std::declval<F&>(), std::declval<const context&>(),
                                        std::declval<T>()))>,
    std::monostate,
    std::decay_t<decltype(call_stream(std::declval<F&>(), std::declval<const context&>(),
                                      std::declval<T>()))>>;

}  // namespace weir::detail
