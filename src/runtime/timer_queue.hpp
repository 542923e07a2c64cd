// SPDX-License-Identifier: MIT
#pragma once
// Everything that waits for a time: a binary heap, ordered by time and then by arrival. Insert and
// remove are O(log n); looking whether something is due is one load.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "runtime/clock.hpp"
#include "weir/detail/intrusive.hpp"
#include "weir/detail/waiter.hpp"

namespace weir::detail {

/// Something to be told of a time. The queue holds no reference; whoever owns the entry removes it
/// before it goes.
class timer_entry {
 public:
  timer_entry() = default;
  timer_entry(const timer_entry&) = delete;
  timer_entry& operator=(const timer_entry&) = delete;
  virtual ~timer_entry() = default;

  /// Called when due, under the queue's lock, already removed: must be short, and not use the
  /// queue. What takes longer is returned, with a reference, and its finish() called without the
  /// lock.
  struct deferred {
    virtual void finish() noexcept = 0;  // and drops the reference
   protected:
    ~deferred() = default;
  };
  struct outcome {
    deferred* rest = nullptr;
    time_ns again = never;  // when to fire next
  };
  [[nodiscard]] virtual outcome fire(time_ns now) = 0;
  /// Called instead of fire() when the runtime ends first.
  [[nodiscard]] virtual deferred* abandon() { return nullptr; }

 protected:
  [[nodiscard]] time_ns due() const noexcept { return when_; }

 private:
  friend class timer_queue;
  static constexpr std::size_t nowhere = static_cast<std::size_t>(-1);
  time_ns when_ = 0;
  std::uint64_t order_ = 0;
  std::size_t index_ = nowhere;
};

class timer_queue final : public shared_object {
 public:
  /// Adds, for the end of time at the latest. Not added after close().
  enum class added { first, later, closed };
  [[nodiscard]] added insert(timer_entry& e, time_ns when);
  /// True if it was there. When false is returned, its fire() is over, or will never come.
  bool remove(timer_entry& e) noexcept;
  /// When the first is due; `never` if there is none.
  [[nodiscard]] time_ns next_due() const noexcept {
    // Ordering: seq_cst; a carrier that is about to sleep announces itself and then reads this, an
    // insert writes this and then looks for sleepers: one of them must see the other.
    return next_.load(std::memory_order_seq_cst);
  }
  /// Fires what is due at `now`, in order, until `room` is full of what is still to be finished,
  /// without the lock; returns how many that are. If `room` is full there may be more. Needs no
  /// memory, as no end of a wait may.
  [[nodiscard]] std::size_t fire_due(time_ns now, std::span<timer_entry::deferred*> room) noexcept;
  /// Abandons what is there and takes no more.
  void close() noexcept;

 private:
  [[nodiscard]] bool earlier(std::size_t a, std::size_t b) const noexcept;
  void place(std::size_t at, timer_entry* e) noexcept;
  void sift_up(std::size_t at) noexcept;
  void sift_down(std::size_t at) noexcept;
  void take_out(std::size_t at) noexcept;
  void put_in(timer_entry& e, time_ns when);
  [[nodiscard]] std::size_t abandon_some(std::span<timer_entry::deferred*> room) noexcept;
  void publish_next() noexcept;

  std::mutex m_;  // guards all below; next_ is written under it
  std::vector<timer_entry*> heap_;
  std::uint64_t arrivals_ = 0;
  bool closed_ = false;
  std::atomic<time_ns> next_{never};
};

/// The entry of a strand that waits for a time: a sleep, or after() in a select.
class wake_entry final : public timer_entry {
 public:
  wake_entry(operation& op, int index) noexcept : op_(op), index_(index) {}
  outcome fire(time_ns /*now*/) override {
    if (op_.claim(index_)) op_.who.wake();
    return {};
  }

 private:
  operation& op_;
  int index_;
};

}  // namespace weir::detail
