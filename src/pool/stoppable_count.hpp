// SPDX-License-Identifier: MIT
#pragma once
// A count that its owner carries on without a lock and without an atomic exchange, until somebody
// else stops it. Stopping is dear, and says at which number: up to there things are the owner's.
//
//   if (count.increment()) …;              // the owner: the next thing is mine
//   else { lock(); mine = count.has_counted(); unlock(); }    // it has been stopped
//   lock(); count.stop(); port::process_barrier(); n = count.stopped_at(); unlock();   // another
//
// Invariants
//   C1  start(), stop() and stopped_at() are called under one lock, the owner's.
//   C2  the owner writes the value before it looks at stopped_, who stops it writes stopped_ before
//       it looks at the value, each with a full barrier in between: the owner's is made by the
//       other's process_barrier(). So if the owner does not see the one, the other sees the value.
//   C3  the owner may see that it is stopped and have been counted all the same: the value has then
//       been seen, and under the lock has_counted() says so.
// (Dice, Huang and Yang, "Asymmetric Dekker synchronization", 2001, as in spin_lock.hpp.)

#include <atomic>
#include <cstdint>

#include "port/barrier.hpp"

namespace weir::detail {

class stoppable_count {
 public:
  /// The owner, under the lock; it was stopped.
  void start(std::uint32_t value) noexcept {
    // Ordering: relaxed in both; whoever else reads them has the lock.
    value_.store(value, std::memory_order_relaxed);
    stopped_.store(false, std::memory_order_relaxed);
  }
  /// Under the lock.
  [[nodiscard]] bool is_stopped() const noexcept {
    // Ordering: relaxed; written under the lock.
    return stopped_.load(std::memory_order_relaxed);
  }
  /// Under the lock. By another than the owner: process_barrier() and stopped_at() are to follow.
  void stop() noexcept {
    // Ordering: relaxed; the barrier follows (C2).
    stopped_.store(true, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint32_t stopped_at() noexcept {
    // Ordering: acquire; pairs with increment(): what was done before the last one.
    return stopped_at_ = value_.load(std::memory_order_acquire);
  }

  // The owner, without the lock.
  [[nodiscard]] std::uint32_t value() const noexcept {
    // Ordering: relaxed; only the owner writes it.
    return value_.load(std::memory_order_relaxed);
  }
  /// One more; false if it was stopped.
  [[nodiscard]] bool increment() noexcept {
    // Ordering: release; pairs with stopped_at(): what was done before.
    value_.store(value() + 1, std::memory_order_release);
    port::light_barrier();
    // Ordering: relaxed; C2.
    return !stopped_.load(std::memory_order_relaxed);
  }
  /// Under the lock, after an increment() that said false, by another's doing (C3).
  [[nodiscard]] bool has_counted() const noexcept { return value() == stopped_at_; }

 private:
  std::atomic<std::uint32_t> value_{0};
  std::atomic<bool> stopped_{true};
  std::uint32_t stopped_at_ = 0;
};

}  // namespace weir::detail
