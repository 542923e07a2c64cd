// SPDX-License-Identifier: MIT
#pragma once
// channel<T>: a typed queue between tasks, threads, or both, with Go's semantics.
//
//   weir::channel<int> jobs{16};                    // holds 16; channel<int>{} is a rendezvous
//   weir::go([=] { for (int i = 0; i < 100; ++i) jobs.send(i);
//                  jobs.close(); });
//   for (int job : jobs) work(job);                 // until closed and drained
//
// A channel is a handle: a copy names the same channel, and methods are const, as a pointer's are.
// sender<T> and receiver<T> are its one-way halves.
//
// Guarantees
//   - First in, first out; waiting receivers and waiting senders are served in order of arrival,
//     and a value handed to a waiter cannot be taken by a third party.
//   - Nothing is lost: a send that fails or is cancelled leaves its value with the caller; a
//     receive that is cancelled leaves the item in the channel. What is still buffered when the
//     last handle goes is destroyed.
//   - Ordering: what happened before a send is visible after its receive; what happened before
//     close() is visible after a receive that reports it; a receive from an unbuffered channel
//     happens before its send returns; the k-th receive before the (k + capacity)-th send returns.
// Thread safety: every method may be called from any task and any thread at any time.
// Cost: a transfer that need not wait takes one lock for some ten instructions.
//
// T need only be movable. If its move may throw, elements are kept behind a pointer, so that no
// move runs under a lock. A send that throws has sent nothing; a receive that throws has put its
// element back, to be received next. (Two can not be kept: what goes back to its owner, as it was
// not sent, if that move throws, which for a T that cannot be assigned ends the program; and what
// goes back to a channel that has no room for it any more, if there is no memory for that.)

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <variant>

#include "amount.hpp"
#include "context.hpp"
#include "detail/channel_core.hpp"
#include "detail/channel_elements.hpp"
#include "detail/channel_handle.hpp"
#include "detail/channel_state.hpp"
#include "detail/loop_reference.hpp"
#include "error.hpp"

namespace weir {

namespace detail {
template <class Self, class T>
class receiving;
}

/// What try_receive() found: an item, nothing yet, or the end.
template <class T>
class try_receive_result {
 public:
  try_receive_result() = default;

  [[nodiscard]] bool has_value() const noexcept { return item_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }
  /// Nothing there now; there may be later.
  [[nodiscard]] bool empty() const noexcept { return !has_value() && !closed_; }
  /// Closed and drained: nothing will ever come.
  [[nodiscard]] bool closed() const noexcept { return closed_; }
  [[nodiscard]] T& operator*() noexcept { return *item_; }
  [[nodiscard]] const T& operator*() const noexcept { return *item_; }
  [[nodiscard]] T* operator->() noexcept { return item_.operator->(); }
  [[nodiscard]] T& value() { return item_.value(); }

 private:
  template <class, class>
  friend class detail::receiving;
  std::optional<T> item_;
  bool closed_ = false;
};

namespace detail {

/// The sending half's methods; Self is channel<T> or sender<T>.
template <class Self, class T>
class sending {
 public:
  /// Blocks until delivered: taken by a receiver, or buffered. Throws channel_closed if the channel
  /// is closed, before or while it waits; `v` is then untouched.
  void send(T&& v) const { push(std::move(v), {}); }
  void send(const T& v) const
    requires std::copy_constructible<T>
  {
    push(T(v), {});
  }

  /// As send(v), until ctx is done: then false, and `v` is untouched. A context that is done
  /// already wins over room in the channel.
  [[nodiscard]] bool send(const context& ctx, T&& v) const {
    return !ctx.cancelled() && push(std::move(v), {.until = &ctx});
  }
  [[nodiscard]] bool send(const context& ctx, const T& v) const
    requires std::copy_constructible<T>
  {
    return !ctx.cancelled() && push(T(v), {.until = &ctx});
  }

  /// Never waits: false, with `v` untouched, if that would be needed. Throws channel_closed.
  [[nodiscard]] bool try_send(T&& v) const { return push(std::move(v), {.block = false}); }
  [[nodiscard]] bool try_send(const T& v) const
    requires std::copy_constructible<T>
  {
    return push(T(v), {.block = false});
  }

  /// Sends each element of a range, in order, waiting as send() does. Elements of an rvalue range
  /// are moved from as they are delivered, if they are of type T; those that have to be converted
  /// are copied. (What a view makes as it goes is lost if it is not sent.) Returns how many were
  /// sent. Arrays (vectors, spans) of plain data, or that are moved from, take one lock, and one
  /// look at a context, for some 64.
  template <std::ranges::input_range R>
  std::size_t send_many(R&& range) const {
    return push_many(std::forward<R>(range), {});
  }
  std::size_t send_many(std::initializer_list<T> values) const { return push_many(values, {}); }
  /// As above until ctx is done; the elements behind those that were sent are untouched.
  template <std::ranges::input_range R>
  std::size_t send_many(const context& ctx, R&& range) const {
    return push_many(std::forward<R>(range), {.until = &ctx});
  }
  std::size_t send_many(const context& ctx, std::initializer_list<T> values) const {
    return push_many(values, {.until = &ctx});
  }

  /// No more values: receivers get what is buffered, then the end. Wakes every waiter; senders that
  /// wait throw channel_closed. Throws channel_closed if closed already, std::logic_error on a nil
  /// channel.
  void close() const {
    auto* s = core();
    if (s == nullptr) throw std::logic_error("weir: close of nil channel");
    if (!s->close()) throw_channel_closed("close of closed channel");
  }

 private:
  channel_state<T>* core() const noexcept { return static_cast<const Self*>(this)->state(); }

  bool push(T&& v, patience how) const {
    auto* s = core();
    if (s == nullptr) {
      if (how.block) wait_for_nothing(how.until, nil_send_wait);
      return false;
    }
    switch (s->send(std::move(v), how)) {
      case transfer::moved: return true;
      case transfer::closed: throw_channel_closed("send on closed channel");
      default: return false;
    }
  }

  template <class R>
  std::size_t push_many(R&& range, patience how) const {
    constexpr bool copies =
        std::is_lvalue_reference_v<R> || std::ranges::view<std::remove_cvref_t<R>>;
    if constexpr (goes_in_one_piece<R, T, copies>) {
      auto* const first = std::ranges::data(range);
      using from = std::conditional_t<copies, const T, T>;
      return push_array<from>(first, static_cast<std::size_t>(std::ranges::size(range)), how);
    } else {
      std::size_t sent = 0;
      for (auto&& item : range) {
        if (how.until != nullptr && how.until->cancelled()) break;
        if (!push(to_be_sent<T, std::ranges::range_reference_t<R>, copies>(item), how)) break;
        ++sent;
      }
      return sent;
    }
  }

  template <class From>
  std::size_t push_array(From* from, std::size_t n, patience how) const {
    auto* const s = core();
    if (s == nullptr && n > 0) wait_for_nothing(how.until, nil_send_wait);
    std::size_t sent = 0;
    while (s != nullptr && sent < n && (how.until == nullptr || !how.until->cancelled())) {
      auto result = transfer::moved;
      const std::size_t many = std::min(n - sent, most_at_once<T>);
      const std::size_t some = s->send_some(from + sent, many, how, result);
      if (result == transfer::closed) throw_channel_closed("send on closed channel");
      if (some == 0) break;
      sent += some;
    }
    return sent;
  }
};

/// The receiving half's methods; Self is channel<T> or receiver<T>.
template <class Self, class T>
class receiving {
 public:
  /// Blocks until there is a value; empty when the channel is closed and drained.
  std::optional<T> receive() const {
    std::optional<T> item;
    (void)pull(item, {});
    return item;
  }
  /// As receive(), until ctx is done: then empty. A context that is done already wins over a value,
  /// which stays. ctx.cancelled() tells the two apart.
  std::optional<T> receive(const context& ctx) const {
    std::optional<T> item;
    if (!ctx.cancelled()) (void)pull(item, {.until = &ctx});
    return item;
  }
  /// Never waits.
  [[nodiscard]] try_receive_result<T> try_receive() const {
    try_receive_result<T> result;
    result.closed_ = pull(result.item_, {.block = false}) == transfer::closed;
    return result;
  }

  /// Waits for one value, then takes up to `max` that are there, appending to `out` (an output
  /// iterator); into a vector, a deque or an array with one lock for some 64. What `out` throws at
  /// goes back, as `out` left it: whole, if that is a vector or a deque without memory. Returns how
  /// many; 0 when closed and drained, or max is 0.
  template <std::output_iterator<T> Out>
  std::size_t receive_many(Out out, std::size_t max) const {
    return pull_many(std::move(out), max, {});
  }
  /// As above, or 0 when ctx is done first.
  template <std::output_iterator<T> Out>
  std::size_t receive_many(const context& ctx, Out out, std::size_t max) const {
    if (ctx.cancelled()) return 0;
    return pull_many(std::move(out), max, {.until = &ctx});
  }

  /// `for (T v : ch)` receives until closed and drained. Single pass. Of a T that cannot be copied
  /// it gives T&& (so `auto&&`, not `auto&`), else T&.
  class iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;

    iterator() = default;
    explicit iterator(Self from) : from_(std::move(from)) { ++*this; }
    loop_reference<T> operator*() const noexcept { return static_cast<loop_reference<T>>(*item_); }
    T* operator->() const noexcept { return item_.operator->(); }
    iterator& operator++() {
      item_.reset();
      (void)from_.pull(item_, {});
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& it, std::default_sentinel_t) noexcept {
      return !it.item_.has_value();
    }

   private:
    Self from_;
    mutable std::optional<T> item_;
  };
  [[nodiscard]] iterator begin() const { return iterator(static_cast<const Self&>(*this)); }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

 private:
  channel_state<T>* core() const noexcept { return static_cast<const Self*>(this)->state(); }

  template <class Item>
  transfer pull(std::optional<Item>& item, patience how) const {
    if (auto* s = core()) return s->receive(item, how);
    if (how.block) wait_for_nothing(how.until, nil_receive_wait);
    return transfer::would_block;
  }

  template <class Out>
  std::size_t pull_many(Out out, std::size_t max, patience how) const {
    std::size_t n = 0;
    for (std::size_t some = 0; n < max; n += some, how.block = false) {
      const std::size_t wanted = std::min(max - n, most_at_once<T>);
      if constexpr (takes_many<Out, T>) {
        some = core() != nullptr ? pull_some(out, wanted, how) : pull_one(out, how);
        if (some > 1) core()->count_piece();
      } else {
        some = pull_one(out, how);
      }
      if (some == 0) break;
      if (some > 1 && some < wanted) return n + some;  // that was all
    }
    return n;
  }

  template <class Out>
  std::size_t pull_one(Out& out, patience how) const {
    std::optional<element_of<T>> item;  // in its box, if any, until `out` has it
    (void)pull(item, how);
    return deliver(out, item);
  }
  template <class Out>
  std::size_t deliver(Out& out, std::optional<element_of<T>>& item) const {
    if (!item) return 0;
    try {
      if constexpr (!std::is_same_v<element_of<T>, T>) make_room(out);
      *out++ = std::move(value_in<T>(*item));
    } catch (...) {
      core()->put_back(*item);
      throw;
    }
    return 1;
  }

  /// With one lock, what is there, or one that it has to wait for.
  template <class Out>
  std::size_t pull_some(Out& out, std::size_t wanted, patience how) const {
    taken_items<T> items;
    std::optional<T> one;  // (of those that have no box)
    core()->receive_some(items, wanted, one, how);
    const std::size_t n = items.size();
    if (n == 0) return deliver(out, one);
    try {
      for (; items.size() > 0; items.pop_front()) *out++ = std::move(items.front());
    } catch (...) {
      core()->put_back(items);
      throw;
    }
    return n;
  }
};

}  // namespace detail

/// The sending half. Default constructed it is Go's nil channel: send blocks for ever.
template <class T>
class sender : public detail::channel_handle<T>, public detail::sending<sender<T>, T> {
 public:
  using value_type = T;
  sender() = default;

 private:
  template <class>
  friend class channel;
  using detail::channel_handle<T>::channel_handle;
};

/// The receiving half. Default constructed it is Go's nil channel: receive blocks for ever.
template <class T>
class receiver : public detail::channel_handle<T>, public detail::receiving<receiver<T>, T> {
 public:
  using value_type = T;
  receiver() = default;
  /// For Weir's own words, whose channels are not channel<T>: context, timer.
  explicit receiver(detail::ref<detail::channel_state<T>> s)
      : detail::channel_handle<T>(std::move(s)) {}

 private:
  template <class>
  friend class channel;
};

template <class T>
class channel : public detail::channel_handle<T>,
                public detail::sending<channel<T>, T>,
                public detail::receiving<channel<T>, T> {
 public:
  using value_type = T;

  /// A new unbuffered channel: a send completes when a receiver takes the value.
  channel() : channel(0) {}
  /// A new channel that holds `capacity` values before a send blocks. Its memory is reserved at
  /// once. Throws std::length_error, naming it, for a capacity that is negative or too large to
  /// exist; std::bad_alloc without memory for a mebibyte or less.
  template <std::integral Int>
    requires(!std::same_as<Int, bool>)
  explicit channel(Int capacity)
      : detail::channel_handle<T>(
            detail::make_ref<detail::channel_state<T>>(detail::checked_capacity(capacity))) {}
  template <std::same_as<amount> A>  // and not what {} might be as well
  explicit channel(A capacity) : channel(std::int64_t{capacity}) {}

  operator sender<T>() const { return sender<T>(this->state_); }      // NOLINT: as in Go
  operator receiver<T>() const { return receiver<T>(this->state_); }  // NOLINT: as in Go
};

inline receiver<std::monostate> context::done() const {
  return receiver<std::monostate>(done_channel());
}

}  // namespace weir
