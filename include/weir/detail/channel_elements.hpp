// SPDX-License-Identifier: MIT
#pragma once
// What a channel keeps an element as; and when several may go through its lock at once: that is
// where nothing of the user's can tell it from one after the other.

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <deque>
#include <iterator>
#include <memory>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir::detail {

/// One whose move may throw is kept behind a pointer.
template <class T>
using element_of =
    std::conditional_t<std::is_nothrow_move_constructible_v<T>, T, std::unique_ptr<T>>;

template <class T>
[[nodiscard]] T& value_in(element_of<T>& element) noexcept {
  if constexpr (std::is_same_v<element_of<T>, T>) {
    return element;
  } else {
    return *element;
  }
}

/// A copy of it is nothing that its type would notice. (Trivially copyable is also what can only be
/// moved, if that is trivial.)
template <class T>
inline constexpr bool is_plain_data =
    std::is_trivially_copyable_v<T> && std::is_trivially_copy_constructible_v<T>;

/// A range that is an array of T, which can go into the channel under its lock: moving an element
/// does not throw, and a copy is nothing that its type would notice.
template <class R, class T, bool Copies>
concept goes_in_one_piece =
    std::ranges::contiguous_range<R> && std::ranges::sized_range<R> &&
    std::same_as<element_of<T>, T> &&
    (Copies
         ? is_plain_data<T> &&
               std::same_as<
                   std::remove_const_t<std::remove_reference_t<std::ranges::range_reference_t<R>>>,
                   T>
         : std::same_as<std::remove_reference_t<std::ranges::range_reference_t<R>>, T>);

/// What to send for `item`, which a range gave as a Ref: itself, to be moved from if it is sent, if
/// that is a T and is the range's own or nobody's; else a copy.
template <class T, class Ref, bool Copies>
[[nodiscard]] decltype(auto) to_be_sent(std::remove_reference_t<Ref>& item) {
  using element = std::remove_reference_t<Ref>;
  constexpr bool made_for_us = !std::is_reference_v<Ref> && !std::is_const_v<element>;
  if constexpr (std::is_same_v<element, T> &&
                (!Copies || made_for_us || std::is_rvalue_reference_v<Ref>)) {
    return std::move(item);
  } else if constexpr (made_for_us) {
    return T(std::move(item));
  } else if constexpr (Copies) {
    return T(item);
  } else {
    static_assert(std::is_constructible_v<T, const element&>,
                  "send_many: what has to be converted is copied, not moved from, for it would be "
                  "lost if it were not sent");
    return T(std::as_const(item));
  }
}

/// An output iterator that does nothing but keep what it gets: it can not see that those behind it
/// have left the channel already.
template <class Out, class T>
inline constexpr bool only_keeps = false;
template <std::contiguous_iterator Out, class T>
inline constexpr bool only_keeps<Out, T> =
    std::same_as<std::iter_value_t<Out>, T> && std::is_nothrow_move_assignable_v<T>;
template <class T, class A>
inline constexpr bool only_keeps<std::back_insert_iterator<std::vector<T, A>>, T> = true;
template <class T, class A>
inline constexpr bool only_keeps<std::back_insert_iterator<std::deque<T, A>>, T> = true;

/// A vector that has to grow moves from what it is given before it copies what it has, which may
/// throw: so it grows first.
template <class Out>
void make_room(Out& /*out*/) noexcept {}
template <class T, class A>
void make_room(std::back_insert_iterator<std::vector<T, A>>& out) {
  struct access : std::back_insert_iterator<std::vector<T, A>> {
    using base = std::back_insert_iterator<std::vector<T, A>>;
    static std::vector<T, A>& vector_of(base& b) { return *(b.*(&access::container)); }
  };
  std::vector<T, A>& v = access::vector_of(out);
  if (v.size() == v.capacity()) v.reserve(std::max<std::size_t>(2 * v.size(), 1));
}

/// So many elements go through the lock at once: a kilobyte of them, for a task's stack is small.
template <class T>
inline constexpr std::size_t most_at_once = std::clamp<std::size_t>(1024 / sizeof(T), 1, 64);

template <class Out, class T>
concept takes_many = only_keeps<Out, T> && std::same_as<element_of<T>, T> && (most_at_once<T> > 1);

/// What was taken out of a channel under one lock and is not delivered yet, in its order.
template <class T>
class taken_items {
 public:
  taken_items() = default;
  taken_items(const taken_items&) = delete;
  taken_items& operator=(const taken_items&) = delete;
  ~taken_items() { std::destroy(begin() + first_, begin() + last_); }

  [[nodiscard]] std::size_t size() const noexcept { return last_ - first_; }
  [[nodiscard]] T& front() noexcept { return begin()[first_]; }
  /// Takes over the n elements that begin there, where nothing is then.
  void append(T* first, std::size_t n) noexcept {
    std::uninitialized_move_n(first, n, begin() + last_);
    std::destroy_n(first, n);
    last_ += n;
  }
  void pop_front() noexcept { std::destroy_at(begin() + first_++); }

 private:
  // (Not std::launder: nothing else has ever lived here.)
  [[nodiscard]] T* begin() noexcept { return reinterpret_cast<T*>(storage_.data()); }

  alignas(T) std::array<std::byte, most_at_once<T> * sizeof(T)> storage_;
  std::size_t first_ = 0;
  std::size_t last_ = 0;
};

}  // namespace weir::detail
