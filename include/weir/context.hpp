// SPDX-License-Identifier: MIT
#pragma once
// context: tells everyone who works on something that it is over, as in Go.
//
//   auto [ctx, cancel] = weir::with_timeout(weir::background(), 900ms);
//   while (auto job = jobs.receive(ctx)) work(ctx, *job);
//   if (ctx.error()) std::cerr << ctx.error().message() << '\n';   // "deadline exceeded"
//
// Contexts form a tree: cancelling one cancels everything derived from it before cancel() returns,
// and nothing above or beside it. A context is a handle; pass it first, by const reference, and do
// not keep it in a long-lived struct: it belongs to one piece of work.
//
// Guarantees
//   - error() is none until the context is done, then never changes; so does cause().
//   - A child's deadline is never later than its parent's.
//   - A deadline is on the clock of the runtime that the context was made in: in a task that one's,
//     in a plain thread the default one. If that runtime ends first, nobody can tell when it is
//     over: the context is done then, and what is derived from it, with errc::cancelled.
//   - Ordering: what happened before cancel() is visible to whoever sees the context done.
// Thread safety: everything here may be called from any task or thread at any time; cancel() also
// from a callback of the same context.
// Cost: cancelled() is one load. A context that is derived and dropped allocates once.

#include <any>
#include <chrono>
#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>

#include "detail/channel_core.hpp"
#include "detail/duration.hpp"
#include "detail/intrusive.hpp"
#include "detail/shared_function.hpp"
#include "error.hpp"

namespace weir {

template <class T>
class receiver;
class context;

namespace detail {

class context_state;
class cancel_guard;
struct cancel_func_access;
struct after_callback;
template <class T>
class channel_state;

/// A key of with_value, with its type erased: equal when type and value are equal.
class value_key {
 public:
  explicit value_key(const std::type_info& type) noexcept : type_(&type) {}
  virtual ~value_key() = default;
  /// `other` has the same type.
  [[nodiscard]] virtual bool equals(const value_key& other) const = 0;
  [[nodiscard]] bool has_type_of(const value_key& other) const noexcept {
    return type_ == other.type_ || *type_ == *other.type_;
  }

 private:
  const std::type_info* type_;
};

/// What is kept of a key: of a C string, or a view, its text.
template <class K>
using kept_key = std::conditional_t<std::is_same_v<K, const char*> || std::is_same_v<K, char*> ||
                                        std::is_same_v<K, std::string_view>,
                                    std::string, K>;

template <std::equality_comparable K>
class typed_key final : public value_key {
 public:
  explicit typed_key(K k) : value_key(typeid(K)), key_(std::move(k)) {}
  [[nodiscard]] bool equals(const value_key& other) const override {
    return static_cast<const typed_key&>(other).key_ == key_;
  }

 private:
  K key_;
};

}  // namespace detail

class context {
 public:
  using clock = std::chrono::steady_clock;

  /// The root that is never done: the same as background().
  context() = default;
  /// A context that is done when `token` is asked to stop (with errc::cancelled).
  // (What after_func() was given for it is kept until the source has been asked to stop.)
  context(std::stop_token token);  // NOLINT: interchangeable by design
  context(const context&) = default;
  context& operator=(const context&) = default;
  /// What was moved from is background().
  context(context&& other) noexcept
      : state_(std::move(other.state_)), done_(std::exchange(other.done_, nullptr)) {}
  context& operator=(context&& other) noexcept {
    state_ = std::move(other.state_);
    done_ = std::exchange(other.done_, nullptr);
    return *this;
  }
  ~context() = default;
  /// Is it done? One load; what was done before the cancellation is visible if so.
  [[nodiscard]] bool cancelled() const noexcept { return done_ != nullptr && done_->is_closed(); }
  /// A channel that closes when the context is done; nil (never ready) for background().
  [[nodiscard]] receiver<std::monostate> done() const;
  /// None while live, then errc::cancelled or errc::deadline_exceeded. None prints as "ok".
  [[nodiscard]] std::error_code error() const noexcept;
  /// What cancel(cause) was given, here or in the ancestor that was cancelled first; without a
  /// cause a std::system_error of error(). Null while live. The same object each time.
  [[nodiscard]] std::exception_ptr cause() const noexcept;
  /// When it will be done at the latest.
  [[nodiscard]] std::optional<clock::time_point> deadline() const noexcept;
  /// The value that the nearest ancestor (or this context) holds for `key`, null if there is none,
  /// or if it is of another type than T. Valid as long as the context.
  template <class T, class K>
  [[nodiscard]] const T* value(const K& key) const {
    using kept = detail::kept_key<std::decay_t<const K&>>;
    const std::any* found = find_value(detail::typed_key<kept>(kept(key)));
    return found == nullptr ? nullptr : std::any_cast<T>(found);
  }
  /// A token that is asked to stop when this context is done.
  [[nodiscard]] std::stop_token stop_token() const;
  operator std::stop_token() const { return stop_token(); }  // NOLINT: interchangeable by design

  /// Same context?
  friend bool operator==(const context& a, const context& b) noexcept {
    return a.state_ == b.state_;
  }
  /// Are both asked to stop as one?
  friend bool operator==(const context& a, const std::stop_token& b) { return a.stop_token() == b; }
  /// For select and for Weir's own words: the core of done(), null for background().
  [[nodiscard]] detail::channel_core* done_core() const noexcept { return done_; }
  [[nodiscard]] detail::context_state* state() const noexcept;
  explicit context(detail::ref<detail::context_state> state) noexcept;

 private:
  [[nodiscard]] detail::ref<detail::channel_state<std::monostate>> done_channel() const;
  [[nodiscard]] const std::any* find_value(const detail::value_key& key) const;

  detail::ref<detail::shared_object> state_;
  detail::channel_core* done_ = nullptr;  // state_'s canceller's, which lives as long
};

/// Cancels its context when called, or when its last copy is destroyed: Go's `defer cancel()`.
/// Idempotent; does not wait for the work to stop.
class cancel_func {
 public:
  cancel_func() = default;
  /// Cancels with errc::cancelled.
  void operator()() const;
  /// The same, and cause() will be `cause`; null stands for none.
  void operator()(std::exception_ptr cause) const;
  /// The same with an exception object as the cause.
  template <std::derived_from<std::exception> E>
  void operator()(E cause) const {
    (*this)(std::make_exception_ptr(std::move(cause)));
  }
  /// The same with an error code as the cause (a std::system_error).
  void operator()(std::error_code cause) const {
    (*this)(std::make_exception_ptr(std::system_error(cause)));
  }

 private:
  friend struct detail::cancel_func_access;
  std::shared_ptr<const detail::cancel_guard> guard_;
};

/// What with_cancel and its kin return: `auto [ctx, cancel] = …`.
struct cancellable_context {
  context ctx;
  cancel_func cancel;
};

/// The root of every tree: never done, no deadline, no values.
[[nodiscard]] context background() noexcept;
/// A child that is done when cancel is called or the parent is done.
[[nodiscard]] cancellable_context with_cancel(const context& parent);
/// As with_cancel, and done with errc::deadline_exceeded at `when`, if the parent's deadline is not
/// earlier. In the past: done before this returns. `cause`, if given, is cause() when the time
/// came.
[[nodiscard]] cancellable_context with_deadline(const context& parent,
                                                context::clock::time_point when,
                                                std::exception_ptr cause = nullptr);
namespace detail {
[[nodiscard]] cancellable_context with_timeout(const context& parent, nanoseconds timeout,
                                               std::exception_ptr cause);
}
/// with_deadline(parent, now + timeout). Huge timeouts are no deadline in practice, not an
/// overflow.
template <class Rep, class Period>
[[nodiscard]] cancellable_context with_timeout(const context& parent,
                                               std::chrono::duration<Rep, Period> timeout,
                                               std::exception_ptr cause = nullptr) {
  return detail::with_timeout(parent, detail::to_nanoseconds(timeout), std::move(cause));
}
/// Keeps the parent's values, but none of its cancellation or deadline.
[[nodiscard]] context without_cancel(const context& parent);

namespace detail {
[[nodiscard]] context with_value(const context& parent, std::unique_ptr<value_key> key,
                                 std::any value);
}

/// A child in which value<V>(key) finds `value`. For data of one request that crosses layers, not
/// for parameters. Keys are equal when their types and values are: use a type of your own. (A C
/// string or a std::string_view as a key is a std::string, of its text.)
template <std::equality_comparable K, class V>
[[nodiscard]] context with_value(const context& parent, K key, V value) {
  using kept = detail::kept_key<K>;
  if constexpr (std::is_copy_constructible_v<V>) {
    return detail::with_value(parent,
                              std::make_unique<detail::typed_key<kept>>(kept(std::move(key))),
                              std::any(std::move(value)));
  } else {
    static_assert(std::is_copy_constructible_v<V>,
                  "weir::with_value: the value cannot be copied: give a std::shared_ptr to it");
  }
}

/// A registration of after_func. Dropping it does not unregister.
class after_func_handle {
 public:
  after_func_handle() = default;
  /// Unregisters; true if that kept f from running, false if it ran, runs or was stopped before.
  /// Does not wait for f.
  bool stop() const;

 private:
  friend after_func_handle after_func(const context& ctx, std::function<void()> f);
  std::shared_ptr<detail::after_callback> callback_;
};

/// Runs f once, in a task of its own, when ctx is done; at once if it is already. Never for a
/// context that cannot be done. What f holds ends in that task, too. If that is as its runtime
/// ends, f runs on the default one, and may do so after the end. f may be what can only be moved.
after_func_handle after_func(const context& ctx, std::function<void()> f);
template <detail::only_moves F>
after_func_handle after_func(const context& ctx, F f) {
  return after_func(ctx, detail::shared_function(std::move(f), "after_func"));
}

}  // namespace weir

#include "channel.hpp"
