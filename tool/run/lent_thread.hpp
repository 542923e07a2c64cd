// SPDX-License-Identifier: MIT
#pragma once
// on_lent_thread(): blocking(), for when the system may be short of threads.

#include <optional>
#include <system_error>
#include <type_traits>

#include "weir/go.hpp"

namespace weir::tool {

/// Gives blocking(f); empty when no thread could be had for it, and f has not been called.
/// `f` itself does not throw std::system_error.
template <class F>
[[nodiscard]] std::optional<std::invoke_result_t<F&>> on_lent_thread(F f) {
  try {
    return blocking(f);
  } catch (const std::system_error&) {
    return std::nullopt;
  }
}

}  // namespace weir::tool
