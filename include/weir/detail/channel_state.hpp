// SPDX-License-Identifier: MIT
#pragma once
// The typed half of a channel: how an element moves, and the fast path of a transfer that need not
// wait. An element whose move may throw is kept behind a pointer: nothing under a lock can throw.

#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include "../context.hpp"
#include "channel_core.hpp"
#include "interruption.hpp"

namespace weir::detail {

template <class T>
using element_of =
    std::conditional_t<std::is_nothrow_move_constructible_v<T>, T, std::unique_ptr<T>>;

template <class E>
inline constexpr element_ops ops_of{
    sizeof(E),
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
  explicit channel_state(std::size_t capacity) : channel_core(ops_of<element>, capacity) {
    static_assert(alignof(element) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__,
                  "channel<T>: T is over-aligned; send a std::unique_ptr<T>");
  }

  /// Sends; on anything but transfer::moved the value is back in `v`.
  transfer send(T&& v, patience how) {
    if constexpr (std::is_same_v<element, T>) {
      lock_before("send on a channel");
      if (has_room()) {
        ::new (push_slot(sizeof(T))) T(std::move(v));
        lock.unlock();
        return transfer::moved;
      }
      return send_locked(&v, how);
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
    return send_locked(&v, how);
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
  /// To be received next: somebody could not keep it.
  void put_back(T&& v) {
    if constexpr (std::is_same_v<element, T>) {
      channel_core::put_back(&v);
    } else {
      auto box = std::make_unique<T>(std::move(v));
      channel_core::put_back(&box);
    }
  }

  /// To its owner: a value that was moved from to be sent, and was not.
  static void give_back(T& v, T&& value) {
    if constexpr (std::is_move_assignable_v<T>) {
      v = std::move(value);
    } else {
      std::destroy_at(&v);
      std::construct_at(&v, std::move(value));
    }
  }

 private:
  /// Another task may come in before; but not where the lock is biased: nothing is directed there.
  void lock_before(const char* operation) {
    if (lock.lock_as_owner()) [[likely]]
      return;
    interruption_point(operation);
    lock.lock();
  }
  void take_item(std::optional<T>& out) noexcept {
    T* slot = static_cast<T*>(pop_slot(sizeof(T)));
    out.emplace(std::move(*slot));
    std::destroy_at(slot);
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
