// SPDX-License-Identifier: MIT
#pragma once
// The lock inside a primitive. Held for tens of instructions, never across a suspension and never
// while calling user code that could block. A holder that the kernel preempted is waited for by
// giving up the processor.
//
// Most primitives are used by one thread for a long time: tasks that talk to each other run on one
// carrier. So a lock that one thread has taken often enough, with nobody in between, becomes biased
// to that thread, which then takes it with two plain stores instead of an atomic exchange (1 ns
// against 6). Any other thread that wants it first takes the bias away, which costs a barrier on
// every processor; if that happens soon the lock becomes more reluctant to be biased again.
// (After Kawachiya, Koseki and Onodera, "Lock reservation", 2002, with the asymmetric handshake of
// Dice, Huang and Yang, "Asymmetric Dekker synchronization", 2001.)
//
// Invariants, with taken_[0] called held_ and taken_[1 + i] called inside_[i]
//   L1  who holds the lock has held_; or, while biased_ is i + 1, is owner i and has inside_[i].
//   L2  biased_ changes only while held_ is taken, and to 0 only when the owner is not inside, and
//       cannot get inside any more. Only a thread itself makes itself the owner.
//   L3  the owner sets its inside_ before it looks at owner_, who takes the bias away clears owner_
//       before it looks at inside_, each with a full barrier in between: the owner's is made by the
//       other's process_barrier(). So one of the two sees the other.
//   L4  each owner has an inside_ of its own, for good: a thread that is late, and has lost its
//       bias meanwhile, still sets and clears one, and must not clear the next owner's. So there
//       are only a few.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "interruption.hpp"
#include "sanitizers.hpp"
#include "thread_token.hpp"

namespace weir::detail {

class spin_lock {
 public:
  spin_lock() noexcept = default;
  /// `patience`: how often in a row a thread takes it to become its owner; `growth` times as often
  /// after a bias that did not pay.
  spin_lock(std::uint32_t patience, std::uint8_t growth) noexcept
      : patience_(patience), growth_(growth) {}

  void lock() noexcept {
    before_lock();
    if (!lock_as_owner()) [[unlikely]]
      lock_otherwise();
  }
  void unlock() noexcept {
    if (biased_ == 1) [[likely]] {
      // Ordering: release; pairs with the acquire in enter() and revoke(); publishes what the lock
      // guards.
      taken_[1].store(false, std::memory_order_release);
    } else if (biased_ == 2) {
      // Ordering: release; as for the first owner.
      taken_[2].store(false, std::memory_order_release);
    } else {
      // Ordering: release; as above, by anybody pairs with the acquire in lock_shared().
      taken_[biased_].store(false, std::memory_order_release);
    }
    after_unlock();
  }

  /// For the holder: did another thread have it before? A hint.
  [[nodiscard]] bool changes_hands() const noexcept { return biased_ == 0 && times_ == 0; }

 private:
  static constexpr std::size_t owners = 4;  // that a lock can have, one after the other
  static_assert(owners <= thread_token_step);
  static constexpr std::uint32_t last_patience = 1U << 20U;
  // A bias costs some microseconds when it ends, up to 30 on virtual machines, and saves 5 ns each
  // time. Who takes the lock so often in a row is likely to do it that often again; and if it ends
  // only after so long, its end is one percent of it.
  static constexpr std::uint32_t fair_patience = 4096;
  static constexpr std::uint32_t fair_ticks = 16;  // 2 ms

  /// The short way in, for the first two threads that the lock was biased to; false if it is not
  /// biased to this one. (One address for each, known before anything is read: 3 ns faster than one
  /// that is computed.)
  [[nodiscard]] bool lock_as_owner() noexcept {
    // Ordering: relaxed; only a hint, enter() looks again.
    const thread_token owner = owner_.load(std::memory_order_relaxed);
    const thread_token me = this_thread_token();
    if (owner == me) [[likely]]
      return enter(owner, taken_[1]);
    return owner == me + 1 && enter(owner, taken_[2]);
  }

  /// The owner's way in; false if the bias is being taken away, or has been.
  [[nodiscard]] bool enter(thread_token owner, std::atomic<bool>& inside) noexcept {
#if defined(WEIR_TSAN)
    // Ordering: acquire; pairs with unlock(). The same thread was the last inside; but each of its
    // tasks is a thread of its own to ThreadSanitizer, and this is their order.
    (void)inside.load(std::memory_order_acquire);
#endif
    // Ordering: relaxed; revoke()'s process_barrier() stands for the fence (L3), the signal fence
    // keeps the compiler from moving the look before it.
    inside.store(true, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    // Ordering: relaxed; what the lock guards was last changed by this thread, or before it became
    // the owner.
    if (owner_.load(std::memory_order_relaxed) == owner) [[likely]]
      return true;
    // Ordering: release; pairs with revoke(), which may be waiting for this.
    inside.store(false, std::memory_order_release);
    return false;
  }

  /// For the third owner and later ones; apart from lock_shared(), so that it need not save what
  /// that needs.
  [[gnu::noinline]] void lock_otherwise() noexcept {
    // Ordering: relaxed; as in lock_as_owner(). A later owner, or nobody's and far away.
    const thread_token owner = owner_.load(std::memory_order_relaxed);
    const thread_token i = owner - this_thread_token();
    if (i >= owners || !enter(owner, taken_[1 + i])) lock_shared();
  }

  [[gnu::noinline]] void lock_shared() noexcept {
    const thread_token me = this_thread_token();
    // Ordering: acquire; pairs with the release in unlock(): we see all the last holder wrote.
    if (taken_[0].exchange(true, std::memory_order_acquire)) [[unlikely]]
      wait_for_holder();
    if (biased_ != 0) [[unlikely]]
      revoke();
    const auto part_of_me = static_cast<std::uint32_t>(me / thread_token_step);
    if (last_ != part_of_me) {
      last_ = part_of_me;
      times_ = 0;
    } else if (++times_ >= patience_) [[unlikely]] {
      reserve(me);
    }
  }

  /// From holding the lock like anybody to holding it as its owner.
  void reserve(thread_token me) noexcept {
    const std::size_t i = may_reserve() ? place_of(this_thread_number()) : owners;
    if (i == owners) {
      times_ = 0;
      return;
    }
    since_ = ticks_now();
    biased_ = static_cast<std::uint8_t>(i + 1);
    // Ordering: relaxed in both; held_ publishes them.
    taken_[1 + i].store(true, std::memory_order_relaxed);
    owner_.store(me + i, std::memory_order_relaxed);
    // Ordering: release; pairs with the acquire in lock_shared(): who comes next sees the bias.
    taken_[0].store(false, std::memory_order_release);
  }

  /// Which inside_ is this thread's (L4); `owners`: none, others have them all, or had.
  [[nodiscard]] std::size_t place_of(std::uint16_t thread) noexcept {
    if (thread == 0) return owners;
    std::size_t i = 0;
    while (i < owners && places_[i] != thread && places_[i] != 0) ++i;
    if (i < owners) places_[i] = thread;
    return i;
  }

  /// Takes the bias away, and waits until its owner is not inside; held_ is taken.
  void revoke() noexcept {
    // Ordering: relaxed; the barrier that follows is a full one for everybody.
    owner_.store(no_thread, std::memory_order_relaxed);
    fence_everybody();
    const std::atomic<bool>& inside = taken_[biased_];
    // Ordering: acquire; pairs with unlock() by the owner.
    for (int round = 0; inside.load(std::memory_order_acquire); ++round) wait_for_owner(round);
    biased_ = 0;
    times_ = 0;
    const bool paid = ticks_now() - since_ >= fair_ticks;
    if (paid && patience_ > fair_patience) {
      patience_ /= growth_;
    } else if (!paid || patience_ < fair_patience) {
      patience_ = std::min(patience_ * growth_, last_patience);
    }
  }

  void wait_for_holder() noexcept;                   // and take held_ (time_away.hpp)
  [[nodiscard]] static bool may_reserve() noexcept;  // there is a barrier, and no director
  static void fence_everybody() noexcept;            // port::process_barrier()
  /// No other thread has it, or had, or will have; 0: there are no more.
  [[nodiscard]] static std::uint16_t this_thread_number() noexcept;
  /// The steady clock's time, in units of 2^17 ns.
  [[nodiscard]] static std::uint32_t ticks_now() noexcept;
  /// A moment, the longer the more rounds there were.
  static void wait_for_owner(int round) noexcept;

  // (Contexts have three locks each, and there may be a million: 40 bytes.)
  std::atomic<thread_token> owner_{no_thread};  // the thread's plus i; written with held_
  std::uint32_t last_ = 0;                      // who took held_ last, or who looks like it
  std::uint32_t times_ = 0;                     // in a row
  std::uint32_t patience_ = 256;                // times_ that make an owner
  std::uint32_t since_ = 0;                     // when the bias began, in ticks
  std::array<std::atomic<bool>, 1 + owners> taken_{};
  std::uint8_t biased_ = 0;  // i + 1
  std::uint8_t growth_ = 4;
  std::atomic<std::uint8_t> time_away_{1};      // of who finds it taken, in moments
  std::array<std::uint16_t, owners> places_{};  // whose inside_ is whose, by their numbers
};

}  // namespace weir::detail
