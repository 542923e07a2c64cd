// SPDX-License-Identifier: MIT
#pragma once

namespace weir::detail {

class runtime_core;

/// Threads kept for blocking(f) that have nothing to do.
[[nodiscard]] long idle_blocking_threads();
/// Whose call the calling thread is in; null: in none.
[[nodiscard]] const runtime_core* runtime_of_call() noexcept;

}  // namespace weir::detail
