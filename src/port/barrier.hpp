// SPDX-License-Identifier: MIT
#pragma once
// A memory barrier that is free where it is crossed often and paid for where it is seldom crossed:
// the seldom side asks the kernel to run a full barrier on every running thread of the process.

#include <atomic>

namespace weir::port {

/// The seldom side: when it returns, every thread has passed a full barrier since the call.
void process_barrier() noexcept;

/// Whether the kernel has a call for it. Otherwise process_barrier() makes do with what interrupts
/// other processors on most machines.
[[nodiscard]] bool has_process_barrier() noexcept;

/// The often side: keeps the compiler from moving accesses across; process_barrier() does the rest.
inline void light_barrier() noexcept {
  // Ordering: seq_cst for the compiler only; pairs with process_barrier().
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

}  // namespace weir::port
