// SPDX-License-Identifier: MIT
#pragma once
// The pool's words for coroutines: co_await a future, and pool.schedule(), which moves a coroutine
// to a worker.
//
//   weir::detached answer(const weir::pool<>& p, weir::channel<int> out) {
//     co_await p.schedule();                                // from here on a job of the pool
//     auto job = p.submit([text = read_all()] { return score(text); });
//     out.send(co_await std::move(job));
//   }
//
// (Not in one expression: g++ 12 miscompiles lambdas in those, see coroutine.hpp.)
//
// A scheduled coroutine counts as one job, from there to where it next suspends or ends; it waits
// for its turn like any other, and what .when_full says holds for it. If its job is dropped or
// cancelled before it starts, co_await throws a std::system_error with errc::dropped; if the pool
// does not take it, what submit throws.
// co_await on a future never runs the job itself, as get() may in a job.

#include <coroutine>
#include <utility>

#include "coroutine.hpp"
#include "future.hpp"
#include "pool.hpp"

namespace weir {

namespace detail {

/// Suspends until the job is over. The future is its own, or of who awaits.
template <class R>
class future_awaiter {
 public:
  /// If it throws, f is as it was.
  explicit future_awaiter(future<R>&& f)
      : done_(f.state().done_channel(false)),
        transfer_(coroutine_transfer::direction::receive, done_.state(), context()),
        future_(std::move(f)) {}
  future_awaiter(future_awaiter&&) noexcept = default;
  future_awaiter& operator=(future_awaiter&&) = delete;
  ~future_awaiter() { (void)transfer_.abandon(); }

  [[nodiscard]] bool await_ready() noexcept { return transfer_.try_now(nullptr); }
  [[nodiscard]] bool await_suspend(std::coroutine_handle<> h) {
    return transfer_.suspend(h, nullptr);
  }
  R await_resume() {
    (void)transfer_.finish();
    return future_.get();
  }

 private:
  receiver<std::monostate> done_;
  coroutine_transfer transfer_;
  future<R> future_;
};

template <class Unused>
struct pool_schedule {
  template <class Pool>
  static auto on(const Pool& p) {
    return resume_through([&p](auto&& resume) {
      // What has been resumed can not be tried again.
      p.post(job_options{.retry = {.attempts = 1}}, std::forward<decltype(resume)>(resume));
    });
  }
};

}  // namespace detail

/// `co_await p.submit(f)`, or `co_await std::move(future)`: the job's result, or its exception.
/// What f captures, if it is a lambda, g++ 12 wants made before: see coroutine.hpp.
template <class R>
[[nodiscard]] detail::future_awaiter<R> operator co_await(future<R>&& f) {
  return detail::future_awaiter<R>(std::move(f));
}

}  // namespace weir
