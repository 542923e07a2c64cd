// SPDX-License-Identifier: MIT
#pragma once
// A lock for two sides of which one, the owner, comes all the time and the other seldom. The owner
// pays two plain stores and a load; the outsider pays a barrier on every processor.
// (Dekker's handshake with the owner's half of the fence moved to the other side; the idea is that
// of Dice, Huang and Yang, "Asymmetric Dekker synchronization", 2001.)
//
// Invariant: the owner is inside only if busy_, an outsider only if wanted_; each sets its own flag
// before it looks at the other's, with a full barrier in between: the owner's is made by the
// outsider's process_barrier(). Outsiders are kept apart by the caller.

#include <sched.h>

#include <atomic>

#include "port/barrier.hpp"

namespace weir::detail {

class gate {
 public:
  // Owner.
  void enter() noexcept {
    announce();
    // Ordering: acquire; pairs with leave_outside(): the outsider's changes are visible.
    while (wanted_.load(std::memory_order_acquire)) [[unlikely]] {
      leave();
      // An outsider is moving a few pointers; it may have been preempted, so do not spin.
      sched_yield();
      announce();
    }
  }
  void leave() noexcept {
    // Ordering: release; pairs with the acquire in try_enter_outside().
    busy_.store(false, std::memory_order_release);
  }

  // Outsiders, one at a time. False if the owner is inside just now.
  [[nodiscard]] bool try_enter_outside() noexcept {
    // Ordering: seq_cst; before the look at busy_.
    wanted_.store(true, std::memory_order_seq_cst);
    port::process_barrier();
    // Ordering: seq_cst; acquire for the owner's changes, and see above.
    if (!busy_.load(std::memory_order_seq_cst)) return true;
    leave_outside();
    return false;
  }
  void leave_outside() noexcept {
    // Ordering: release; pairs with the acquire in enter().
    wanted_.store(false, std::memory_order_release);
  }

 private:
  void announce() noexcept {
    // Ordering: relaxed; the outsider's process_barrier() stands for the fence.
    busy_.store(true, std::memory_order_relaxed);
    port::light_barrier();
  }

  std::atomic<bool> busy_{false};
  std::atomic<bool> wanted_{false};
};

}  // namespace weir::detail
