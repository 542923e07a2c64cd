// SPDX-License-Identifier: MIT
#pragma once
// How a stream calls its function: with the job alone, or with a context before it; and with what,
// if the job may be tried again. See process.hpp.

#include <concepts>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "../context.hpp"
#include "loop_reference.hpp"

namespace weir::detail {

template <class F, class T>
inline constexpr bool stream_takes_context = std::invocable<F&, const context&, T>;
template <class F, class T>
concept stream_function = stream_takes_context<F, T> || std::invocable<F&, T>;

template <class F, class T>
decltype(auto) call_stream(F& f, [[maybe_unused]] const context& ctx, T&& item) {
  if constexpr (stream_takes_context<F, T>) {
    return std::invoke(f, ctx, std::forward<T>(item));
  } else {
    return std::invoke(f, std::forward<T>(item));
  }
}

template <class F, class T>
using stream_call_result = std::decay_t<decltype(call_stream(
    std::declval<F&>(), std::declval<const context&>(), std::declval<T>()))>;

/// What a stream gives: f's result, or monostate for a function without.
template <class F, class T>
using stream_result = std::conditional_t<std::is_void_v<stream_call_result<F, T>>, std::monostate,
                                         stream_call_result<F, T>>;

// ---- a job that may be tried again --------------------------------------------------------------

// What f declares: to ask what else it takes would compile its body with that, where it is a
// template, and be an error where that can not be.
template <class F, class R, class... Args>
std::tuple<Args...> parameters_of(R (F::*)(Args...));
template <class F, class R, class... Args>
std::tuple<Args...> parameters_of(R (F::*)(Args...) const);
template <class R, class... Args>
std::tuple<Args...> parameters_of(R (*)(Args...));

template <class F>
struct parameters {};
template <class F>
  requires std::is_pointer_v<F>
struct parameters<F> {
  using type = decltype(parameters_of(std::declval<F>()));
};
template <class F>
  requires requires { parameters_of(&F::operator()); }
struct parameters<F> {
  using type = decltype(parameters_of(&F::operator()));
};

/// f takes a const T& (or one to a base), and so leaves the job as it is.
template <class F, class T>
inline constexpr bool only_looks = false;
template <class F, class T>
  requires requires { typename parameters<F>::type; }
inline constexpr bool only_looks<F, T> = [] {
  using all = typename parameters<F>::type;
  using last = std::tuple_element_t<std::tuple_size_v<all> - 1, all>;
  using plain = std::remove_cvref_t<last>;
  return std::same_as<last, const plain&> &&
         (std::same_as<plain, T> || std::derived_from<T, plain>);
}();

/// Can f be called again with the same job?
template <class F, class T>
inline constexpr bool can_try_again = only_looks<F, T> || can_be_copied<T>;

}  // namespace weir::detail
