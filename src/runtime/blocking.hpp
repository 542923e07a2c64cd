// SPDX-License-Identifier: MIT
#pragma once

namespace weir::detail {

/// Threads kept for blocking(f) that have nothing to do.
[[nodiscard]] long idle_blocking_threads();

}  // namespace weir::detail
