// SPDX-License-Identifier: MIT
#pragma once
// co_await on Weir's words, from any C++20 coroutine, whatever its promise type.
//
//   weir::detached pump(weir::context ctx, weir::channel<int> in, weir::channel<int> out) {
//     while (auto v = co_await weir::async_receive(ctx, in))
//       if (!co_await weir::async_send(ctx, out, *v * *v)) break;
//     out.close();
//   }
//
// While it is suspended a coroutine blocks no thread and no task: it stands in the same queues as
// those, and takes its turn among them. What can be done at once is done without suspending.
//
// Where it goes on: on a task of the runtime that was current when it suspended (in a plain thread:
// the default one), never inside of whoever woke it. So it may also block there, as any task may;
// those that are woken together share a task until one does. To its runtime a coroutine that is
// suspended is a task that has not ended: the destructor waits for it, explore() reports it if
// nothing can wake it.
//
// Exceptions: co_await throws what the call of the same name would; and, as go() does,
// std::bad_alloc or std::system_error if there is no task to resume it on, in which case nothing
// has happened. Waking one needs no memory.
//
// Destruction: a coroutine that waits for one of these may be destroyed by whoever can know that it
// is not being resumed at that moment, as with any coroutine: a task on its runtime's only carrier,
// say, or anybody when nobody can wake it. (If that is not known, cancel its context and let it
// end.) After that nobody touches it. Nothing is lost: a value that it has not sent was never in
// the channel, one that it was given and has not seen goes back, to be received next. (If there is
// no memory for that, it is destroyed.)
//
// g++ 12 miscompiles any coroutine that declares no local variable and has a co_await in a
// condition (`while (co_await f()) {}`): declare one. And of a lambda inside of a co_await
// expression it destroys twice what it captures, but numbers: see pool_coroutine.hpp.
//
// Ordering: as of the blocking calls; and what a coroutine did before co_await is visible after it.
// Lifetime: await these where they are made, in the same expression: what is sent is moved from
// where it is, when it is delivered. They hold the channel and the context themselves.

#include <chrono>
#include <concepts>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#include "channel.hpp"
#include "context.hpp"
#include "detail/channel_halves.hpp"
#include "detail/coroutine_wait.hpp"
#include "detail/duration.hpp"
#include "runtime.hpp"
#include "sync.hpp"
#include "timer.hpp"

namespace weir {

namespace detail {
template <class T>
class receive_awaiter;
template <class T, class Result>
class send_awaiter;
class done_awaiter;
template <class Result>
class sleep_awaiter;
template <class Result>
class group_awaiter;
class task_awaiter;
template <class Submit>
class handover_awaiter;

}  // namespace detail

/// Gives std::optional<T>: a value, or none when `from` is closed and drained.
template <detail::receivable Ch>
[[nodiscard]] detail::receive_awaiter<typename Ch::value_type> async_receive(const Ch& from) {
  return {context(), from.shared_state()};
}
/// As above, until ctx is done: then none. One that is done already wins over a value, which stays.
template <detail::receivable Ch>
[[nodiscard]] detail::receive_awaiter<typename Ch::value_type> async_receive(const context& ctx,
                                                                             const Ch& from) {
  return {ctx, from.shared_state()};
}

/// Goes on when `v` is delivered: taken by a receiver, or buffered. Throws channel_closed if the
/// channel is closed, before or while it waits; `v` is then untouched.
template <detail::sendable Ch>
[[nodiscard]] detail::send_awaiter<typename Ch::value_type, void> async_send(
    const Ch& to, std::type_identity_t<typename Ch::value_type>&& v) {
  return {context(), to.shared_state(), std::move(v)};
}
template <detail::sendable Ch>
  requires std::copy_constructible<typename Ch::value_type>
[[nodiscard]] detail::send_awaiter<typename Ch::value_type, void> async_send(
    const Ch& to, const std::type_identity_t<typename Ch::value_type>& v) {
  return {context(), to.shared_state(), v};
}
/// As above, giving a bool: false, with `v` untouched, when ctx is done first. One that is done
/// already wins over room in the channel.
template <detail::sendable Ch>
[[nodiscard]] detail::send_awaiter<typename Ch::value_type, bool> async_send(
    const context& ctx, const Ch& to, std::type_identity_t<typename Ch::value_type>&& v) {
  return {ctx, to.shared_state(), std::move(v)};
}
template <detail::sendable Ch>
  requires std::copy_constructible<typename Ch::value_type>
[[nodiscard]] detail::send_awaiter<typename Ch::value_type, bool> async_send(
    const context& ctx, const Ch& to, const std::type_identity_t<typename Ch::value_type>& v) {
  return {ctx, to.shared_state(), v};
}

/// Goes on when ctx is done, and gives its error(). `co_await ctx` is the same.
[[nodiscard]] detail::done_awaiter async_done(const context& ctx);
[[nodiscard]] detail::done_awaiter operator co_await(const context& ctx);

/// Goes on after at least `d`, on the runtime's clock; at once if it is not positive. With a
/// context it gives a bool: false when ctx is done first.
template <class Rep, class Period>
[[nodiscard]] detail::sleep_awaiter<void> async_sleep(std::chrono::duration<Rep, Period> d);
template <class Rep, class Period>
[[nodiscard]] detail::sleep_awaiter<bool> async_sleep(const context& ctx,
                                                      std::chrono::duration<Rep, Period> d);

/// Goes on when the group's count is 0; with a context it gives a bool: false when ctx is done
/// first.
[[nodiscard]] detail::group_awaiter<void> async_wait(const wait_group& group);
[[nodiscard]] detail::group_awaiter<bool> async_wait(const context& ctx, const wait_group& group);

/// Goes on as part of a task: of the current (else the default) runtime, or of `rt`. Also a way to
/// let others run first.
[[nodiscard]] detail::task_awaiter resume_on_task() noexcept;
[[nodiscard]] detail::task_awaiter resume_on_task(runtime& rt) noexcept;

/// Goes on wherever `submit` has it called: submit(f) is called once, with a void() that is movable
/// only. For executors that take callables, and for pools. If f is destroyed without having been
/// called, co_await throws errc::dropped; if submit throws, it throws that, and f must not be
/// called.
template <std::invocable<detail::resumption> Submit>
[[nodiscard]] detail::handover_awaiter<Submit> resume_through(Submit submit) {
  return detail::handover_awaiter<Submit>(std::move(submit));
}

/// A coroutine that runs from the call on, and belongs to nobody. Parameters are copied into its
/// frame: take handles by value, and beware of the captures of a lambda, which are not copied.
/// An exception that leaves it ends the program, as from a task.
struct detached {
  struct promise_type {
    detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
  };
};

// ---- what they return ---------------------------------------------------------------------------

namespace detail {

template <class T>
class receive_awaiter {
  // A compiler takes a frame's memory from operator new, whatever stands in it.
  static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__,
                "co_await: T is over-aligned, and a coroutine's frame is not");

 public:
  receive_awaiter(context until, ref<channel_state<T>> from) noexcept
      : from_(std::move(from)),
        transfer_(coroutine_transfer::direction::receive, from_.get(), std::move(until)) {}
  receive_awaiter(receive_awaiter&&) noexcept = default;
  receive_awaiter& operator=(receive_awaiter&&) = delete;
  ~receive_awaiter() {
    if (transfer_.abandon() && element_) put_back();
  }

  [[nodiscard]] bool await_ready() noexcept { return transfer_.try_now(&element_); }
  [[nodiscard]] bool await_suspend(std::coroutine_handle<> h) {
    return transfer_.suspend(h, &element_);
  }
  [[nodiscard]] std::optional<T> await_resume() {
    (void)transfer_.finish();
    if constexpr (std::is_same_v<element, T>) {
      return std::move(element_);
    } else {
      std::optional<T> item;
      if (element_) from_->unbox(item, std::move(*element_));
      return item;
    }
  }

 private:
  using element = element_of<T>;
  void put_back() noexcept {
    try {
      static_cast<channel_core&>(*from_).put_back(&*element_);
    } catch (...) {  // no memory: it ends with us
    }
  }

  ref<channel_state<T>> from_;
  std::optional<element> element_;
  coroutine_transfer transfer_;
};

template <class T, class Result>
class send_awaiter {
  static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__,
                "co_await: T is over-aligned, and a coroutine's frame is not");

 public:
  send_awaiter(context until, ref<channel_state<T>> to, T&& v) noexcept
      : send_awaiter(std::move(until), std::move(to)) {
    theirs_ = std::addressof(v);
  }
  send_awaiter(context until, ref<channel_state<T>> to, const T& v)
      : send_awaiter(std::move(until), std::move(to)) {
    copy_.emplace(v);
  }
  send_awaiter(send_awaiter&&) noexcept(std::is_nothrow_move_constructible_v<T>) = default;
  send_awaiter& operator=(send_awaiter&&) = delete;
  ~send_awaiter() {
    (void)transfer_.abandon();
    if constexpr (boxed) {
      try {
        give_back();   // destroyed while it waited, or could not
      } catch (...) {  // NOLINT: there is nowhere else to put it; see channel.hpp
      }
    }
  }

  [[nodiscard]] bool await_ready() {
    if constexpr (boxed) box_ = std::make_unique<T>(std::move(value()));
    return transfer_.try_now(element());
  }
  [[nodiscard]] bool await_suspend(std::coroutine_handle<> h) {
    return transfer_.suspend(h, element());
  }
  Result await_resume() {
    const transfer result = transfer_.finish();
    if constexpr (boxed) {
      if (result != transfer::moved) give_back();
    }
    if (result == transfer::closed) throw_channel_closed("send on closed channel");
    if constexpr (!std::is_void_v<Result>) return result == transfer::moved;
  }

 private:
  static constexpr bool boxed = !std::is_same_v<element_of<T>, T>;
  send_awaiter(context until, ref<channel_state<T>> to) noexcept
      : to_(std::move(to)),
        transfer_(coroutine_transfer::direction::send, to_.get(), std::move(until)) {}
  T& value() noexcept { return theirs_ != nullptr ? *theirs_ : *copy_; }
  /// What was not sent is its owner's again.
  void give_back() {
    if (const auto mine = std::move(box_)) channel_state<T>::give_back(value(), std::move(*mine));
  }
  void* element() noexcept {
    if constexpr (boxed) {
      return &box_;
    } else {
      return &value();
    }
  }

  ref<channel_state<T>> to_;
  T* theirs_ = nullptr;
  std::optional<T> copy_;
  std::unique_ptr<T> box_;
  coroutine_transfer transfer_;
};

class done_awaiter {
 public:
  explicit done_awaiter(const context& ctx)
      : ctx_(ctx), transfer_(coroutine_transfer::direction::receive, ctx_.done_core(), context()) {}

  [[nodiscard]] bool await_ready() noexcept { return transfer_.try_now(nullptr); }
  [[nodiscard]] bool await_suspend(std::coroutine_handle<> h) {
    return transfer_.suspend(h, nullptr);
  }
  std::error_code await_resume() {
    (void)transfer_.finish();
    return ctx_.error();
  }

 private:
  context ctx_;
  coroutine_transfer transfer_;
};

/// A receive from a timer.
template <class Result>
class sleep_awaiter {
 public:
  sleep_awaiter(context until, nanoseconds d) noexcept : until_(std::move(until)), d_(d) {}
  sleep_awaiter(sleep_awaiter&& other) noexcept : sleep_awaiter(other.until_, other.d_) {}
  sleep_awaiter& operator=(sleep_awaiter&&) = delete;
  ~sleep_awaiter() = default;

  [[nodiscard]] bool await_ready() const noexcept { return until_.cancelled() || d_ <= d_.zero(); }
  [[nodiscard]] bool await_suspend(std::coroutine_handle<> h) {
    timer_.emplace(d_);
    tick_.emplace(until_, timer_->channel().shared_state());
    return tick_->await_suspend(h);
  }
  Result await_resume() {
    const bool slept = tick_ ? tick_->await_resume().has_value() : !until_.cancelled();
    if constexpr (!std::is_void_v<Result>) return slept;
  }

 private:
  context until_;
  nanoseconds d_;
  std::optional<timer> timer_;
  std::optional<receive_awaiter<context::clock::time_point>> tick_;
};

template <class Result>
class group_awaiter {
 public:
  group_awaiter(const context& until, const wait_group& group)
      : wait_(group.shared_state(), until) {}
  [[nodiscard]] bool await_ready() noexcept { return wait_.try_now(); }
  [[nodiscard]] bool await_suspend(std::coroutine_handle<> h) { return wait_.suspend(h); }
  Result await_resume() noexcept { return static_cast<Result>(wait_.finish()); }

 private:
  coroutine_group_wait wait_;
};

class task_awaiter {
 public:
  explicit task_awaiter(runtime* where) noexcept : where_(where) {}
  task_awaiter(task_awaiter&& other) noexcept : where_(other.where_) {}
  task_awaiter& operator=(task_awaiter&&) = delete;
  ~task_awaiter() {
    if (waits_) suspension_.withdraw();
  }
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  [[gnu::noinline]] void await_suspend(std::coroutine_handle<> h) {
    suspension_.expect(h, where_);
    waits_ = true;
    suspension_.wake();
  }
  void await_resume() noexcept { waits_ = false; }

 private:
  runtime* where_;
  suspension suspension_;
  bool waits_ = false;  // touched only by the coroutine
};

template <class Submit>
class handover_awaiter {
 public:
  explicit handover_awaiter(Submit submit) : submit_(std::move(submit)) {}
  handover_awaiter(handover_awaiter&& other) noexcept(std::is_nothrow_move_constructible_v<Submit>)
      : submit_(std::move(other.submit_)) {}
  handover_awaiter& operator=(handover_awaiter&&) = delete;
  ~handover_awaiter() = default;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  [[nodiscard]] bool await_suspend(std::coroutine_handle<> h) { return wait_.suspend(h, submit_); }
  void await_resume() { wait_.finish(); }

 private:
  Submit submit_;
  handover_wait wait_;
};

}  // namespace detail

inline detail::done_awaiter async_done(const context& ctx) { return detail::done_awaiter(ctx); }
inline detail::done_awaiter operator co_await(const context& ctx) { return async_done(ctx); }

template <class Rep, class Period>
detail::sleep_awaiter<void> async_sleep(std::chrono::duration<Rep, Period> d) {
  return {context(), detail::to_nanoseconds(d)};
}
template <class Rep, class Period>
detail::sleep_awaiter<bool> async_sleep(const context& ctx, std::chrono::duration<Rep, Period> d) {
  return {ctx, detail::to_nanoseconds(d)};
}

inline detail::group_awaiter<void> async_wait(const wait_group& group) {
  return {context(), group};
}
inline detail::group_awaiter<bool> async_wait(const context& ctx, const wait_group& group) {
  return {ctx, group};
}

inline detail::task_awaiter resume_on_task() noexcept { return detail::task_awaiter(nullptr); }
inline detail::task_awaiter resume_on_task(runtime& rt) noexcept {
  return detail::task_awaiter(&rt);
}

}  // namespace weir
