// SPDX-License-Identifier: MIT
#pragma once
// A channel without its element type: the lock, the ring's indices, the two queues of waiters.
// channel<T> adds the storage and says how one element moves (element_ops); everything that can
// block or wake is compiled once, here.
//
// Invariants, all under `lock`
//   C1  senders or receivers is empty (unless one select waits both ways on the same channel).
//   C2  count > 0      implies receivers is empty (of claimable waiters).
//   C3  count < cap    implies senders is empty (of claimable waiters).
//   C4  closed         implies both are empty, for ever.
// So a value handed to a waiting receiver can be stolen by nobody, and order is kept: a receive
// from a full channel takes the head and moves the first blocked sender's value to the tail, as in
// Go.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>

#include "intrusive.hpp"
#include "waiter.hpp"

namespace weir {
class context;
}

namespace weir::detail {

/// How an element moves. `slot` is raw storage in the ring, `value` a live element that is left
/// moved-from, `out` an empty std::optional of the element. None may throw: an element whose move
/// could is kept behind a pointer (see channel.hpp).
struct element_ops {
  std::size_t size;
  std::align_val_t align;
  void (*value_to_slot)(void* slot, void* value) noexcept;
  void (*slot_to_slot)(void* to, void* from) noexcept;  // and ends the life of `from`
  void (*slot_to_out)(void* out, void* slot) noexcept;  // and ends the slot's life
  void (*value_to_out)(void* out, void* value) noexcept;
  void (*destroy_slot)(void* slot) noexcept;
};

enum class transfer { moved, would_block, closed, cancelled };

/// Whether waiting is allowed, and what may end it. (Two words, so that it travels in registers.)
struct patience {
  bool block = true;
  std::uint32_t cases = 0;  // of the select that waits, for dumps; 0: it is none
  const context* until = nullptr;
};

class channel_core : public shared_object {
 public:
  /// Throws std::length_error, naming the capacity, if that many elements cannot be.
  channel_core(const element_ops& ops, std::size_t capacity);
  ~channel_core() override;

  // The typed fast path, for channel.hpp; `lock` is held by the caller.
  [[nodiscard]] bool has_room() const noexcept {
    return count < cap && receivers.empty() && !closed_plain;
  }
  [[nodiscard]] bool has_item_and_no_sender() const noexcept {
    return count > 0 && senders.empty();
  }
  /// A place in the ring that may lie behind its end, once round it.
  [[nodiscard]] std::size_t wrapped(std::size_t at) const noexcept {
    return at < room ? at : at - room;
  }
  // (`size` is that of an element, which the typed half knows at compile time.)
  [[nodiscard]] void* push_slot(std::size_t size) noexcept {
    const std::size_t at = wrapped(head + count);
    ++count;
    ++operations;
    return ring + at * size;
  }
  [[nodiscard]] void* pop_slot(std::size_t size) noexcept {
    void* slot = ring + head * size;
    if (++head == room) head = 0;
    --count;
    ++operations;
    return slot;
  }

  // The whole of it. On entry `lock` is held; on return it is not.
  [[nodiscard]] transfer send_locked(void* value, patience how);
  [[nodiscard]] transfer receive_locked(void* out, patience how);

  /// One step of a transfer that does not wait; `lock` is held and stays so. `partner` becomes the
  /// one that was claimed, to be woken once the lock is dropped, if there was one.
  [[nodiscard]] transfer try_send_step(void* value, wait_node*& partner) noexcept;
  [[nodiscard]] transfer try_receive_step(void* out, wait_node*& partner) noexcept;

  /// The n elements, an array, become the next to be received: they were, by somebody who could not
  /// keep them. The channel may hold more than its capacity then. `lock` is not held. Throws
  /// std::bad_alloc.
  void put_back(void* values, std::size_t n = 1);

  /// Closes; true the first time. `lock` is not held. Wakes every waiter.
  bool close() noexcept;
  /// The two halves of it: closed() from now on; and the wake-ups that are owed for that.
  bool mark_closed(wake_batch& senders_claimed) noexcept;
  void wake_receivers() noexcept;
  /// The first half, where there are no senders; `lock` is held.
  void mark_closed_locked() noexcept;
  [[nodiscard]] bool is_closed() const noexcept {
    // Ordering: acquire; pairs with close(): what was done before it is visible.
    return closed.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::size_t size() noexcept;
  [[nodiscard]] std::size_t capacity() const noexcept { return hides_buffer ? 0 : cap; }
  /// Destroys what is buffered; `lock` is held. For timers, whose stale tick must not outlive a
  /// stop.
  void clear_locked() noexcept;
  /// Tells the scheduler how many operations there were; `lock` is held.
  void report_operations() noexcept;  // (sync/wait_here.hpp)
  /// Tells it that the task begins with another piece of work, and did not have to wait for that;
  /// lets others run first, if it is time for them.
  static void count_piece() noexcept;
  [[nodiscard]] transfer wait_for_signal(const context& until);

  spin_lock lock;  // guards everything below
  bool closed_plain = false;
  std::uint32_t operations = 0;  // since the scheduler last looked: how fine the work's grain is
  std::size_t cap;
  std::size_t room;  // slots: cap, or more after put_back()
  std::size_t count = 0;
  std::size_t head = 0;
  wait_list senders;
  wait_list receivers;
  std::byte* ring = nullptr;
  const element_ops& ops;
  bool signal = false;              // constant: a context's done(); only ever closed, never sent on
  bool hides_buffer = false;        // constant: a timer's, which acts as if unbuffered
  bool has_standing = false;        // of a signal: receivers has, or had, a standing_wait
  std::atomic<bool> closed{false};  // written under lock; read also without it, by is_closed()

 private:
  transfer send_step(void* value, wait_node*& partner) noexcept;
  transfer receive_step(void* out, wait_node*& partner) noexcept;
  void reserve_locked(std::size_t slots_wanted);
  /// Of a closed channel: claims and wakes some; false when there are no more.
  bool wake_some_receivers() noexcept;
  /// Waits in `queue`; gives the lock back.
  [[nodiscard]] transfer wait_locked(wait_list& queue, void* element, patience how,
                                     const wait_kind& kind);
};

extern const wait_kind nil_send_wait;
extern const wait_kind nil_receive_wait;
[[noreturn]] void throw_channel_closed(const char* what);
/// The park of a nil channel: for ever, or until `until` is done.
void wait_for_nothing(const context* until, const wait_kind& kind);
/// A request for `capacity` elements as given, before it lost its sign; throws std::length_error.
[[noreturn]] void throw_bad_capacity(std::int64_t capacity);

template <class Int>
[[nodiscard]] std::size_t checked_capacity(Int n) {
  if constexpr (std::numeric_limits<Int>::is_signed) {
    if (n < 0) throw_bad_capacity(static_cast<std::int64_t>(n));
  }
  return static_cast<std::size_t>(n);
}

}  // namespace weir::detail
