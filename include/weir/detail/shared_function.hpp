// SPDX-License-Identifier: MIT
#pragma once
// What can only be moved, as a std::function, which is to be copied: its copies share it.

#include <concepts>
#include <functional>
#include <memory>
#include <utility>

#include "spawn.hpp"

namespace weir::detail {

template <class F>
concept only_moves = std::invocable<F&> && !std::copy_constructible<F>;

/// Throws std::invalid_argument if it is empty.
template <only_moves F>
std::function<void()> shared_function(F f, const char* where) {
  check_callable(f, where);
  return [f = std::make_shared<F>(std::move(f))] { (void)(*f)(); };
}

}  // namespace weir::detail
