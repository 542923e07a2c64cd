// SPDX-License-Identifier: MIT
#pragma once
// What can only be moved, as a std::function, which is to be copied: its copies share it.

#include <concepts>
#include <functional>
#include <memory>
#include <utility>

namespace weir::detail {

template <class F>
concept only_moves = std::invocable<F&> && !std::copy_constructible<F>;

template <only_moves F>
std::function<void()> shared_function(F f) {
  return [f = std::make_shared<F>(std::move(f))] { (void)(*f)(); };
}

}  // namespace weir::detail
