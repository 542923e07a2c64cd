// SPDX-License-Identifier: MIT
#pragma once
// How go(f) hands f to the runtime without allocating: the runtime builds f at the top of the new
// task's own stack.

#include <concepts>
#include <cstddef>
#include <new>
#include <string_view>
#include <utility>

namespace weir {
class runtime;
}

namespace weir::detail {

/// What is called once: as the lvalue that it is, or, if it only takes that, as an rvalue.
template <class F>
concept callable_once = std::invocable<F&> || std::invocable<F>;

template <callable_once F>
decltype(auto) call_it(F& f) {
  if constexpr (std::invocable<F&>) {
    return f();
  } else {
    return std::move(f)();
  }
}
template <class F>
using call_result = decltype(call_it(std::declval<F&>()));

/// How a callable is put in place, run once, and ended.
struct body_ops {
  std::size_t size;
  std::size_t align;
  void (*construct)(void* where, void* from);  // moves; may throw, before anything has started
  void (*run)(void* self);                     // and ends the callable's life
  void (*destroy)(void* self) noexcept;        // without running it
};

template <class F>
inline constexpr body_ops body_ops_of{
    sizeof(F), alignof(F),
    [](void* where, void* from) { ::new (where) F(std::move(*static_cast<F*>(from))); },
    [](void* self) {
      struct ender {
        F* f;
        ~ender() { f->~F(); }
      } body{static_cast<F*>(self)};
      (void)call_it(*body.f);
    },
    [](void* self) noexcept { static_cast<F*>(self)->~F(); }};

/// Starts a task on `where`, or on the current (else the default) runtime if null. Throws
/// std::system_error errc::forked or errc::closed, std::bad_alloc if there is no memory for a
/// stack.
void spawn(runtime* where, std::string_view name, const body_ops& ops, void* callable);

template <class F>
void spawn_callable(runtime* where, std::string_view name, F f) {
  spawn(where, name, body_ops_of<F>, &f);
}

/// Throws std::invalid_argument for an empty std::function or a null function pointer.
[[noreturn]] void throw_empty_callable(const char* where);

template <class F>
void check_callable(const F& f, const char* where) {
  if constexpr (requires { f == nullptr; }) {
    if (f == nullptr) throw_empty_callable(where);
  }
}

}  // namespace weir::detail
