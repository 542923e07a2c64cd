// SPDX-License-Identifier: MIT
#pragma once
// What a channel and its two halves have in common.

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "intrusive.hpp"

namespace weir::detail {

template <class T>
class channel_state;

/// What channel, sender and receiver are: a reference to the state, null for Go's nil channel.
template <class T>
class channel_handle {
  static_assert(std::same_as<T, std::remove_cvref_t<T>>,
                "channel<T>: T is moved in and out, so it is neither const nor a reference");

 public:
  /// Values waiting in the buffer. Only a hint when others use the channel too.
  [[nodiscard]] std::size_t size() const noexcept { return state_ ? state_->size() : 0; }
  [[nodiscard]] std::size_t capacity() const noexcept { return state_ ? state_->capacity() : 0; }
  /// Has close() been called? Values may still be buffered.
  [[nodiscard]] bool closed() const noexcept { return state_ && state_->is_closed(); }
  /// Same channel, or both nil.
  friend bool operator==(const channel_handle& a, const channel_handle& b) noexcept {
    return a.state_ == b.state_;
  }
  /// For select and for Weir's own words.
  [[nodiscard]] channel_state<T>* state() const noexcept { return state_.get(); }
  [[nodiscard]] const ref<channel_state<T>>& shared_state() const noexcept { return state_; }

 protected:
  channel_handle() = default;
  explicit channel_handle(ref<channel_state<T>> s) noexcept : state_(std::move(s)) {}
  ref<channel_state<T>> state_;
};

}  // namespace weir::detail
