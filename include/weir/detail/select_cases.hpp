// SPDX-License-Identifier: MIT
#pragma once
// What select() is given: each case's channel or context, its value, its callback; how the compiled
// core sees them; and the short way for one channel.

#include <chrono>
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "../channel.hpp"
#include "../context.hpp"
#include "channel_halves.hpp"

/// Of a parameter that the result refers to: a compiler that knows it warns of a temporary.
#if defined(__clang__)
#define WEIR_OUTLIVES_RESULT [[clang::lifetimebound]]
#else
#define WEIR_OUTLIVES_RESULT
#endif

namespace weir::detail {

enum class case_kind { receive, send, done, timeout, otherwise };

/// A case as the compiled core sees it.
struct select_record {
  case_kind kind = case_kind::otherwise;
  channel_core* core = nullptr;  // null: never ready
  void* element = nullptr;       // send: the value; receive: the optional to fill
  context::clock::duration wait{};
};

template <class C>
concept selectable = requires(C& c) {
  { c.record() } -> std::same_as<select_record>;
  c.run();
};

/// What a case is to the short way of select(), see select_one().
enum class case_role { channel, context, other };

extern const wait_kind select_wait;

/// Decides; throws channel_closed if a send case on a closed channel is chosen.
[[nodiscard]] std::size_t select_records(std::span<const select_record> records);

[[noreturn]] void throw_case_spent();
[[noreturn]] void throw_send_on_closed();

// What a case was given as an lvalue outlives the select, and is borrowed: to count it would be two
// atomic operations a case. A temporary is held. A case that is kept, see select_case, holds all.

template <class T>
struct borrowed_channel {
  using value_type = T;
  channel_state<T>* state;
  [[nodiscard]] channel_state<T>* get() const noexcept { return state; }
};
template <class T>
struct held_channel {
  using value_type = T;
  ref<channel_state<T>> state;
  [[nodiscard]] channel_state<T>* get() const noexcept { return state.get(); }
};
template <class T>
[[nodiscard]] held_channel<T> hold(const borrowed_channel<T>& c) {
  return {ref<channel_state<T>>::share(c.state)};
}
template <class T>
[[nodiscard]] held_channel<T> hold(held_channel<T> c) noexcept {
  return c;
}
template <class Ch>
[[nodiscard]] auto channel_for_case(Ch&& ch) {
  using T = typename std::remove_cvref_t<Ch>::value_type;
  if constexpr (std::is_lvalue_reference_v<Ch>) {
    return borrowed_channel<T>{ch.state()};
  } else {
    return held_channel<T>{ch.shared_state()};
  }
}

template <class T>
struct borrowed_value {
  T* at;
  [[nodiscard]] T& get() noexcept { return *at; }
};
template <class T>
struct owned_value {
  T v;
  [[nodiscard]] T& get() noexcept { return v; }
};
template <class T>
[[nodiscard]] owned_value<T> own(borrowed_value<T> b) {
  return {std::move(*b.at)};
}
template <class T>
[[nodiscard]] owned_value<T> own(owned_value<T>&& o) {
  return std::move(o);
}

/// Neither nil nor a context's: one for select_one().
[[nodiscard]] inline bool is_plain(const channel_core* c) noexcept {
  return c != nullptr && !c->signal;
}

template <class Channel, class F>
class receive_case {
  using T = typename Channel::value_type;

 public:
  static constexpr auto role =
      std::is_same_v<element_of<T>, T> ? case_role::channel : case_role::other;

  receive_case(Channel ch, F f) : channel_(std::move(ch)), f_(std::move(f)) {}
  [[nodiscard]] select_record record() {
    out_.reset();  // of the last select, if this case is used again: a close leaves it as it is
    return {.kind = case_kind::receive, .core = channel_.get(), .element = &out_};
  }
  void run() {
    if constexpr (!std::is_invocable_v<F&, std::optional<T>>) {
      static_assert(std::is_invocable_v<F&>, "on_receive: f takes std::optional<T> or nothing");
      f_();
    } else if constexpr (std::is_same_v<element_of<T>, T>) {
      f_(std::move(out_));
    } else {
      f_(unboxed());
    }
  }
  [[nodiscard]] auto kept() && {
    return receive_case<held_channel<T>, F>(hold(std::move(channel_)), std::move(f_));
  }
  /// See select_one().
  [[nodiscard]] bool has_plain_channel() const noexcept { return is_plain(channel_.get()); }
  transfer transfer_in_select(patience how) {
    out_.reset();
    return channel_.get()->receive_in_select(out_, how);
  }

 private:
  std::optional<T> unboxed() {
    std::optional<T> item;
    if (out_) channel_.get()->unbox(item, std::move(*out_));
    return item;
  }
  Channel channel_;
  std::optional<element_of<T>> out_;
  F f_;
};

template <class Channel, class Value, class F>
class send_case {
  using T = typename Channel::value_type;
  static constexpr bool boxed = !std::is_same_v<element_of<T>, T>;
  static constexpr bool borrowed = std::is_same_v<Value, borrowed_value<T>>;
  using box = std::conditional_t<boxed, std::unique_ptr<T>, std::monostate>;

 public:
  static constexpr auto role = boxed ? case_role::other : case_role::channel;

  send_case(send_case&& other) noexcept(
      std::is_nothrow_move_constructible_v<T>&& std::is_nothrow_move_constructible_v<F>) = default;
  send_case(Channel ch, Value value, F f)
      : channel_(std::move(ch)), value_(std::move(value)), f_(std::move(f)) {}
  /// A value whose move may throw goes into a box first, see boxed_values. That is its owner's.
  static constexpr bool lends_box = boxed && borrowed;

  [[nodiscard]] select_record record() {
    T* value = unsent_value();
    if constexpr (boxed) {
      box* used = &box_;
      if constexpr (lends_box) used = shared_box_ != nullptr ? shared_box_ : used;
      if (!*used) *used = std::make_unique<T>(std::move(*value));
      return {.kind = case_kind::send, .core = channel_.get(), .element = used};
    } else {
      return {.kind = case_kind::send, .core = channel_.get(), .element = value};
    }
  }
  void run() {
    if constexpr (!is_plain_data<T>) spent_ = true;
    f_();
  }
  [[nodiscard]] auto kept() && {
    send_case<held_channel<T>, owned_value<T>, F> all(hold(std::move(channel_)), take_value(),
                                                      std::move(f_));
    all.spent_ = spent_;
    return all;
  }
  /// See select_one().
  [[nodiscard]] bool has_plain_channel() const noexcept { return is_plain(channel_.get()); }
  transfer transfer_in_select(patience how) {
    const transfer result = channel_.get()->send_in_select(*unsent_value(), how);
    if (result == transfer::closed) throw_send_on_closed();
    return result;
  }

  /// See boxed_values: if both are to send the same object, this one uses the other's box.
  template <class Other>
  void share_box_of(Other& other) noexcept
    requires lends_box
  {
    if constexpr (requires { other.box_for(value_.get()); }) {
      if (shared_box_ == nullptr) shared_box_ = other.box_for(value_.get());
    }
  }
  template <std::same_as<T> U>
  [[nodiscard]] box* box_for(const U& value) noexcept
    requires lends_box
  {
    return shared_box_ == nullptr && std::addressof(value_.get()) == std::addressof(value)
               ? &box_
               : nullptr;
  }
  /// What was not sent is its owner's again.
  void unbox() noexcept
    requires lends_box
  {
    shared_box_ = nullptr;
    const box unsent = std::move(box_);
    try {
      if (unsent) channel_state<T>::give_back(value_.get(), std::move(*unsent));
    } catch (...) {  // NOLINT: there is nowhere else to put it; see channel.hpp
    }
  }

 private:
  template <class, class, class>
  friend class send_case;

  T* unsent_value() {
    if (spent_) throw_case_spent();
    return std::addressof(value_.get());
  }
  /// From where it is: a select that threw may have left it in its box.
  owned_value<T> take_value() {
    if constexpr (boxed) {
      if (box_) return {std::move(*std::exchange(box_, nullptr))};
    }
    return own(std::move(value_));
  }

  Channel channel_;
  Value value_;
  box box_{};
  std::conditional_t<lends_box, box*, std::monostate> shared_box_{};  // an earlier case's, if any
  bool spent_ = false;                                                // its value has been sent
  F f_;
};

template <class F>
class simple_case {
 public:
  static constexpr auto role = case_role::other;
  simple_case(select_record r, F f) : record_(r), f_(std::move(f)) {}
  [[nodiscard]] select_record record() const { return record_; }
  void run() { f_(); }

 private:
  select_record record_;
  F f_;
};

struct borrowed_context {
  const context* at;
  [[nodiscard]] const context& get() const noexcept { return *at; }
};
struct held_context {
  context ctx;
  [[nodiscard]] const context& get() const noexcept { return ctx; }
};

template <class Context, class F>
class done_case {
 public:
  static constexpr auto role = case_role::context;

  done_case(Context ctx, F f) : context_(std::move(ctx)), f_(std::move(f)) {}
  [[nodiscard]] select_record record() const {
    return {.kind = case_kind::done, .core = ctx().done_core()};
  }
  void run() { f_(); }
  [[nodiscard]] auto kept() && {
    return done_case<held_context, F>({context_.get()}, std::move(f_));
  }
  [[nodiscard]] const context& ctx() const noexcept { return context_.get(); }

 private:
  Context context_;
  F f_;
};

struct do_nothing {
  void operator()() const noexcept {}
};

/// A case's role; any other's than the ones above is `other`.
template <class C>
inline constexpr case_role role_of = [] {
  if constexpr (requires { C::role; }) {
    return C::role;
  } else {
    return case_role::other;
  }
}();

template <class C>
inline constexpr bool lends_box = [] {
  if constexpr (requires { C::lends_box; }) {
    return C::lends_box;
  } else {
    return false;
  }
}();

/// From the making of the cases' records to the decision: where values stand in boxes. Cases of the
/// same object have one box, which any of them may send; and what none has sent is back with its
/// owner before a callback, or whoever catches what select() throws, looks at it.
template <class... Cases>
class boxed_values {
 public:
  explicit boxed_values(Cases&... cases) noexcept : cases_(cases...) {
    if constexpr (any) share(cases...);
  }
  ~boxed_values() {
    if constexpr (any) std::apply([](auto&... cases) { (unbox(cases), ...); }, cases_);
  }
  boxed_values(const boxed_values&) = delete;
  boxed_values& operator=(const boxed_values&) = delete;

 private:
  static constexpr bool any = (lends_box<Cases> || ...);

  static void share() noexcept {}
  template <class First, class... Later>
  static void share(First& first, Later&... later) noexcept {
    (share_box(first, later), ...);
    share(later...);
  }
  template <class First, class Later>
  static void share_box(First& first, Later& later) noexcept {
    if constexpr (lends_box<Later>) later.share_box_of(first);
  }
  template <class Case>
  static void unbox(Case& c) noexcept {
    if constexpr (lends_box<Case>) c.unbox();
  }

  std::tuple<Cases&...> cases_;
};

/// How many of some cases have a role, and which is the first.
template <case_role Role, class... Cases>
inline constexpr std::size_t count_of = (0U + ... + (role_of<Cases> == Role ? 1U : 0U));
template <case_role Role, class... Cases>
inline constexpr std::size_t index_of = [] {
  std::size_t i = 0;
  (void)((role_of<Cases> == Role || (++i, false)) || ...);
  return i;
}();

/// The select that workers write, of one channel and perhaps one context, costs no more than a
/// receive or a send with that context. True: done, and `chosen` says what. False: not possible, or
/// both were ready; nothing has happened.
template <class... Cases>
bool select_one(std::size_t& chosen, Cases&... cases) {
  constexpr bool has_context = count_of<case_role::context, Cases...> == 1;
  constexpr std::size_t channel = index_of<case_role::channel, Cases...>;
  constexpr std::size_t done = index_of<case_role::context, Cases...>;
  const auto all = std::tie(cases...);
  auto& one = std::get<channel>(all);
  if (!one.has_plain_channel()) return false;
  patience how{.cases = sizeof...(Cases)};
  if constexpr (has_context) how.until = &std::get<done>(all).ctx();
  const transfer result = one.transfer_in_select(how);
  if (result == transfer::would_block) return false;
  chosen = result == transfer::cancelled ? done : channel;
  return true;
}

template <class Ch, class Value, class F>
[[nodiscard]] auto make_send_case(Ch&& ch, Value value, F f) {
  auto channel = channel_for_case(std::forward<Ch>(ch));
  return send_case<decltype(channel), Value, F>(std::move(channel), std::move(value), std::move(f));
}

}  // namespace weir::detail
