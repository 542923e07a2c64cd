// SPDX-License-Identifier: MIT
#pragma once
// The typed half of a channel: how an element moves, and the fast path of a transfer that need not
// wait. An element whose move may throw is kept behind a pointer: nothing under a lock can throw.

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include "../context.hpp"
#include "cache_line.hpp"
#include "channel_core.hpp"
#include "channel_elements.hpp"
#include "interruption.hpp"

namespace weir::detail {

template <class E>
inline constexpr element_ops ops_of{
    sizeof(E),
    std::align_val_t{alignof(E)},
    [](void* slot, void* value) noexcept { ::new (slot) E(std::move(*static_cast<E*>(value))); },
    [](void* to, void* from) noexcept {
      ::new (to) E(std::move(*static_cast<E*>(from)));
      std::destroy_at(static_cast<E*>(from));
    },
    [](void* out, void* slot) noexcept {
      static_cast<std::optional<E>*>(out)->emplace(std::move(*static_cast<E*>(slot)));
      std::destroy_at(static_cast<E*>(slot));
    },
    [](void* out, void* value) noexcept {
      static_cast<std::optional<E>*>(out)->emplace(std::move(*static_cast<E*>(value)));
    },
    [](void* slot) noexcept { std::destroy_at(static_cast<E*>(slot)); }};

/// The core with storage for T.
template <class T>
class channel_state final : public channel_core {
 public:
  using element = element_of<T>;
  explicit channel_state(std::size_t capacity) : channel_core(ops_of<element>, capacity) {}

  /// Sends; on anything but transfer::moved the value is back in `v`.
  transfer send(T&& v, patience how) {
    if constexpr (std::is_same_v<element, T>) {
      lock_before("send on a channel");
      if (has_room()) {
        ::new (push_slot(sizeof(T))) T(std::move(v));
        lock.unlock();
        return transfer::moved;
      }
      return send_locked(std::addressof(v), how);
    } else {
      auto boxed = std::make_unique<T>(std::move(v));
      lock_before("send on a channel");
      const transfer result = send_locked(&boxed, how);
      if (result != transfer::moved) give_back(v, std::move(*boxed));
      return result;
    }
  }

  transfer receive(std::optional<T>& out, patience how) {
    if constexpr (std::is_same_v<element, T>) {
      lock_before("receive from a channel");
      if (has_item_and_no_sender()) {
        take_item(out);
        lock.unlock();
        return transfer::moved;
      }
      return receive_locked(&out, how);
    } else {
      std::optional<element> boxed;
      lock_before("receive from a channel");
      const transfer result = receive_locked(&boxed, how);
      if (boxed) unbox(out, std::move(*boxed));
      return result;
    }
  }

  /// The same, in its box.
  transfer receive(std::optional<element>& out, patience how)
    requires(!std::is_same_v<element, T>)
  {
    lock_before("receive from a channel");
    return receive_locked(&out, how);
  }

  /// Sends the first of the n > 0 at `from`, as send() does, or as many as there is room for, under
  /// one lock. Of const ones it sends copies. Returns how many; 0, and why, if that is none.
  template <class From>
  std::size_t send_some(From* from, std::size_t n, patience how, transfer& result)
    requires std::is_same_v<element, T>
  {
    lock_before("send on a channel");
    if (has_room()) {
      const std::size_t some = std::min(n, cap - count);
      const std::size_t tail = wrapped(head + count);
      const std::size_t run = std::min(some, room - tail);  // up to the ring's end
      append(from, run, slot_at(tail));
      append(from + run, some - run, slot_at(0));
      count += some;
      ++operations;  // one visit to the channel, which is what costs if another processor had it
      lock.unlock();
      return some;
    }
    if constexpr (std::is_const_v<From>) {
      T copy(from[0]);
      result = send_locked(std::addressof(copy), how);
    } else {
      result = send_locked(from, how);
    }
    return result == transfer::moved ? 1 : 0;
  }
  /// Takes what is there, at most `max` > 0, under one lock. If that is nothing, or somebody has to
  /// be told, it receives one as receive() does, into `one`.
  void receive_some(taken_items<T>& many, std::size_t max, std::optional<T>& one, patience how)
    requires std::is_same_v<element, T>
  {
    lock_before("receive from a channel");
    if (!has_item_and_no_sender()) {
      (void)receive_locked(&one, how);
      return;
    }
    const std::size_t some = std::min(max, count);
    const std::size_t run = std::min(some, room - head);  // up to the ring's end
    fetch_ahead(slot_at(head), run);
    many.append(slot_at(head), run);
    many.append(slot_at(0), some - run);
    head = wrapped(head + some);
    count -= some;
    if (some == 1) ++operations;  // several are a piece of work, which the receiver counts
    lock.unlock();
  }

  /// What select does with this channel and a context, if nothing else is to be looked at: as
  /// above, but would_block if the context is done already. Then both may be ready, and chance
  /// decides.
  transfer send_in_select(T& v, patience how)
    requires std::is_same_v<element, T>
  {
    lock_before("select");
    if (is_over(how)) [[unlikely]]
      return undecided();
    if (has_room()) {
      ::new (push_slot(sizeof(T))) T(std::move(v));
      lock.unlock();
      return transfer::moved;
    }
    return send_locked(std::addressof(v), how);
  }
  transfer receive_in_select(std::optional<T>& out, patience how)
    requires std::is_same_v<element, T>
  {
    lock_before("select");
    if (is_over(how)) [[unlikely]]
      return undecided();
    if (has_item_and_no_sender()) {
      take_item(out);
      lock.unlock();
      return transfer::moved;
    }
    return receive_locked(&out, how);
  }

  /// A received box's content; if its move throws, the box goes back.
  void unbox(std::optional<T>& out, element box)
    requires(!std::is_same_v<element, T>)
  {
    try {
      out.emplace(std::move(*box));
    } catch (...) {
      channel_core::put_back(&box);
      throw;
    }
  }
  /// To be received next, in this order: somebody could not keep them.
  void put_back(taken_items<T>& items) {
    channel_core::put_back(std::addressof(items.front()), items.size());
  }
  /// The same of one.
  void put_back(element& e) { channel_core::put_back(std::addressof(e)); }

  /// To its owner: a value that was moved from to be sent, and was not.
  static void give_back(T& v, T&& value) noexcept(!std::is_move_assignable_v<T>) {
    if constexpr (std::is_move_assignable_v<T>) {
      v = std::move(value);
    } else {
      // (noexcept: its owner is about to end what would not exist if this throws.)
      std::destroy_at(std::addressof(v));
      std::construct_at(std::addressof(v), std::move(value));
    }
  }

 private:
  /// Another task may come in before.
  void lock_before(const char* operation) {
    interruption_point(operation);
    lock.lock();
  }
  [[nodiscard]] T* slot_at(std::size_t index) noexcept {
    return reinterpret_cast<T*>(ring + index * sizeof(T));
  }
  template <class From>
  static void append(From* from, std::size_t n, T* slot) noexcept {
    if constexpr (std::is_const_v<From>) {
      std::uninitialized_copy_n(from, n, slot);
    } else {
      std::uninitialized_move_n(from, n, slot);
    }
  }
  void take_item(std::optional<T>& out) noexcept {
    T* slot = static_cast<T*>(pop_slot(sizeof(T)));
    out.emplace(std::move(*slot));
    std::destroy_at(slot);
  }
  /// Another processor may have written them: all cache lines come at once, not one by one.
  static void fetch_ahead(const T* first, std::size_t n) noexcept {
    const auto* const bytes = reinterpret_cast<const std::byte*>(first);
    for (std::size_t at = 0; at < n * sizeof(T); at += cache_line) __builtin_prefetch(bytes + at);
  }
  static bool is_over(const patience& how) noexcept {
    return how.until != nullptr && how.until->cancelled();
  }
  transfer undecided() noexcept {
    lock.unlock();
    return transfer::would_block;
  }
};

}  // namespace weir::detail
