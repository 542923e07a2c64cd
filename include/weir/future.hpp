// SPDX-License-Identifier: MIT
#pragma once
// future<R>: what a job that was submitted to a pool will give.
//
//   weir::future<int> answer = p.submit([] { return 6 * 7; });
//   if (answer.wait_for(10ms)) std::cout << answer.get();
//   weir::select(weir::on_ready(answer, [&] { use(answer.get()); }), weir::on_done(ctx));
//
// What ends a future is the job's result, its exception, or, if the job was never run or cut short,
// a std::system_error with errc::cancelled, deadline_exceeded or dropped. A job that was submitted
// with a context is over with that, while it is queued or waits for its next attempt.
//
// In a job, waiting for another job of the same pool that is still queued runs that one here and
// now: so a pool of one can run recursive jobs. wait_for and wait_until do not: they would not be
// back in time.
// Thread safety: one future is for one user at a time, as a std::future is. Ordering: what the job
// did is visible after the wait.

#include <chrono>
#include <cstddef>
#include <iterator>
#include <ranges>
#include <stdexcept>
#include <utility>
#include <vector>

#include "context.hpp"
#include "detail/duration.hpp"
#include "detail/job.hpp"
#include "select.hpp"

namespace weir {

namespace detail {
[[noreturn]] void throw_no_state();
/// Waits for one of several jobs; its index. False in `in_time` when ctx is done first.
[[nodiscard]] std::size_t wait_any_job(const std::vector<awaited_job*>& jobs, const context* until,
                                       bool& in_time);
}  // namespace detail

/// Movable, not copyable; get() is for once, as in std::future.
template <class R>
class future {
 public:
  using value_type = R;

  future() = default;
  explicit future(detail::ref<detail::result_job<R>> j) noexcept : job_(std::move(j)) {}
  future(future&&) noexcept = default;
  future& operator=(future&&) noexcept = default;
  future(const future&) = delete;
  future& operator=(const future&) = delete;
  /// Does not wait, and does not cancel: the job goes on. Its failure is then seen by nobody but
  /// stats(): use post() for jobs without a result.
  ~future() = default;

  /// Does it belong to a job, and has get() not been called?
  [[nodiscard]] bool valid() const noexcept { return static_cast<bool>(job_); }
  /// Is the job over? get() does not wait then.
  [[nodiscard]] bool ready() const { return state().done(); }

  /// Waits for the job, and gives its result or throws its exception.
  R get() {
    (void)state().wait(nullptr);
    return std::exchange(job_, {})->take();
  }
  /// As get(), until ctx is done: then, if the job is not over, throws a std::system_error with its
  /// error; the future stays valid, and the job goes on.
  R get(const context& ctx) {
    if (!wait(ctx)) throw std::system_error(ctx.error(), "weir: future::get");
    return std::exchange(job_, {})->take();
  }
  void wait() const { (void)state().wait(nullptr); }
  /// False when ctx is done first. It looks at the job before: what is over is over.
  [[nodiscard]] bool wait(const context& ctx) const {
    return state().done() || (!ctx.cancelled() && state().wait(&ctx));
  }
  /// False when the time came first.
  template <class Rep, class Period>
  [[nodiscard]] bool wait_for(std::chrono::duration<Rep, Period> d) const {
    if (state().done()) return true;
    return select(on_receive(state().done_channel(false)), after(d)) == 0;
  }
  [[nodiscard]] bool wait_until(std::chrono::steady_clock::time_point when) const {
    if (state().done()) return true;
    auto [ctx, cancel] = with_deadline(background(), when);
    return select(on_receive(state().done_channel(false)), on_done(ctx)) == 0;
  }
  /// A channel that closes when the job is over: for select. In a job of the same pool it runs this
  /// one if it is queued, as wait() does, but not its next attempts: a pool whose only worker
  /// selects over a job that is tried again is stuck. wait() and wait_any() run those.
  [[nodiscard]] receiver<std::monostate> done() const { return state().done_channel(); }

  /// For wait_any and Weir's own words.
  [[nodiscard]] detail::result_job<R>& state() const {
    if (!job_) detail::throw_no_state();
    return *job_;
  }

 private:
  detail::ref<detail::result_job<R>> job_;
};

/// A select case that is ready when the future is.
template <class R, class F = detail::do_nothing>
[[nodiscard]] auto on_ready(const future<R>& f, F then = {}) {
  return on_receive(f.done(), std::move(then));
}

/// Waits for every future of a range.
template <std::ranges::input_range Futures>
void wait_all(Futures&& futures) {
  for (auto& f : futures) f.wait();
}
/// The same; false when ctx is done before all are over.
template <std::ranges::input_range Futures>
[[nodiscard]] bool wait_all(const context& ctx, Futures&& futures) {
  for (auto& f : futures) {
    if (!f.wait(ctx)) return false;
  }
  return true;
}

namespace detail {
template <class Futures>
std::vector<awaited_job*> jobs_of(Futures& futures) {
  std::vector<awaited_job*> jobs;
  for (auto& f : futures) jobs.push_back(&f.state());
  return jobs;
}
}  // namespace detail

/// Waits for the first of a range to be ready, and gives its iterator; the end if the range is
/// empty.
template <std::ranges::forward_range Futures>
[[nodiscard]] auto wait_any(Futures& futures) {
  bool in_time = true;
  const std::size_t first = detail::wait_any_job(detail::jobs_of(futures), nullptr, in_time);
  return std::ranges::next(std::ranges::begin(futures), static_cast<std::ptrdiff_t>(first));
}
/// The same; the end when ctx is done and none is ready.
template <std::ranges::forward_range Futures>
[[nodiscard]] auto wait_any(const context& ctx, Futures& futures) {
  bool in_time = true;
  const std::size_t first = detail::wait_any_job(detail::jobs_of(futures), &ctx, in_time);
  return in_time
             ? std::ranges::next(std::ranges::begin(futures), static_cast<std::ptrdiff_t>(first))
             : std::ranges::end(futures);
}

}  // namespace weir
