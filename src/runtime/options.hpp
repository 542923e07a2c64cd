// SPDX-License-Identifier: MIT
#pragma once
// Checks of runtime_options. Each throws std::invalid_argument that names what is wrong, and the
// range.

#include "weir/runtime.hpp"

namespace weir::detail {

[[nodiscard]] int checked_carriers(const runtime_options& options);
/// Rounded up to whole pages.
[[nodiscard]] std::size_t checked_stack_size(const runtime_options& options);

}  // namespace weir::detail
