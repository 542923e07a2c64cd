// SPDX-License-Identifier: MIT
#pragma once
// The lock inside a primitive: one word, one atomic exchange to take, one plain store to give back.
// Held for tens of instructions, never across a suspension and never while calling user code that
// could block. A holder that the kernel preempted is waited for by giving up the processor.

#include <atomic>

namespace weir::detail {

class spin_lock {
 public:
  void lock() noexcept {
    // Ordering: acquire; pairs with the release in unlock(): we see all the last holder wrote.
    if (held_.exchange(true, std::memory_order_acquire)) [[unlikely]]
      lock_slow();
  }
  void unlock() noexcept {
    // Ordering: release; pairs with the acquire in lock(); publishes what the lock guards.
    held_.store(false, std::memory_order_release);
  }

 private:
  void lock_slow() noexcept;
  std::atomic<bool> held_{false};
};

}  // namespace weir::detail
