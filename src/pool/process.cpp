// SPDX-License-Identifier: MIT
#include "weir/process.hpp"

#include <algorithm>
#include <mutex>
#include <stdexcept>
#include <system_error>

#include "pool/pool_options.hpp"
#include "runtime/process.hpp"

namespace weir::detail {
namespace {

pool_options pool_for(const process_options& o) {
  return {.workers = o.workers,
          .queue = o.queue,
          .timeout = o.timeout,
          .retry = o.retry,
          .rate = o.rate,
          .brake = o.brake,
          .host = o.host,
          .name = o.name};
}

std::uint64_t batch_for(const process_options& o) {
  constexpr std::int64_t most = 65'536;
  if (o.batch < 1 || o.batch > most) {
    throw std::invalid_argument("weir::process: batch " + std::to_string(o.batch) +
                                " is out of range. Use 1 to " + std::to_string(most) + ".");
  }
  if (o.batch > 1 && (o.timeout.count() != 0 || o.retry.attempts > 1 || o.rate)) {
    throw std::invalid_argument("weir::process: batch " + std::to_string(o.batch) +
                                " with a timeout, retries or a rate, which are each job's. Use "
                                "batch 1, or do without them.");
  }
  return static_cast<std::uint64_t>(o.batch);
}

/// 0 if results do not come in order.
std::uint64_t window_for(const process_options& o, bool ordered) {
  if (o.window < 0) {
    throw std::invalid_argument("weir::process: window " + std::to_string(o.window) +
                                " is negative. Use 0 for the workers and the queue together.");
  }
  if (!ordered) return 0;
  if (o.window > 0) return static_cast<std::uint64_t>(o.window);
  (void)checked(pool_for(o));  // before they are added up
  const std::int64_t workers =
      o.workers.is_adaptive() ? o.workers.max() : std::int64_t{first_workers(o.workers)};
  // All batches that can be on their way; but the window is memory, and batches can be smaller.
  constexpr std::uint64_t enough = 16'384;
  const auto jobs = static_cast<std::uint64_t>(workers) + static_cast<std::uint64_t>(o.queue);
  return jobs >= enough ? jobs : std::min(enough, jobs * batch_for(o));
}

}  // namespace

stream_base::stream_base(const context& parent, const process_options& options, stream_kind kind)
    : kind_(kind),
      fail_fast_(options.on_error == on_error::fail_fast),
      may_retry_(options.retry.attempts > 1),
      batch_(batch_for(options)),
      window_(window_for(options, kind == stream_kind::in_order)),
      window_is_given_(options.window > 0),
      queue_(options.queue),
      own_(with_cancel(parent)),
      places_(static_cast<std::int64_t>(window_)),
      pool_(own_.ctx, pool_for(options)) {
  pool_.cancel_too(own_.cancel);
}

std::size_t stream_base::results_capacity() const noexcept {
  return ordered() ? static_cast<std::size_t>(window_) : static_cast<std::size_t>(queue_);
}

void stream_base::refuse_capacity() const {
  const bool is_window = ordered() && window_is_given_;
  throw std::invalid_argument(
      "weir::process: " + std::string(is_window ? "window " : "queue ") +
      std::to_string(is_window ? static_cast<std::int64_t>(window_) : queue_) +
      ": there is no memory for so many results. Use less.");
}

std::exception_ptr stream_base::stopped() noexcept {
  return job_error(errc::cancelled, "weir::process: a job that never ran");
}

std::exception_ptr stream_base::cause_of(std::exception_ptr error) const noexcept {
  // (In this order: what ends ours has ended the pool's after it.)
  return pool_.ctx().cancelled() && !ctx().cancelled() ? pool_.ctx().cause() : error;
}

void stream_base::start() {
  feeder_.go([this] { feed(); });
}

void stream_base::finish() noexcept {
  if (forked()) return;  // those who would be waited for are the parent's
  // By its context the pool hears that what it has not begun is to be counted out. (Its stop() has
  // a report to make, for which there may be no memory.)
  own_.cancel();
  pool_.close();
  feeder_.wait();
  pool_.wait();
}

bool stream_base::is_left_behind() noexcept {
  // Ordering: acquire; pairs with feed(): what that did is over.
  if (forked() || fed_.load(std::memory_order_acquire) || !pool_.has_lost_its_runtime()) {
    return false;
  }
  pool_.close();
  own_.cancel();
  if (!pool_.has_lost_its_workers()) pool_.wait();  // threads, that go on
  // Reachable, for what looks for leaks. Ordering: relaxed; nobody reads it.
  static constinit std::atomic<stream_base*> left{nullptr};
  next_left_ = left.exchange(this, std::memory_order_relaxed);
  return true;
}

/// How many there were; 0 at the end.
std::uint64_t stream_base::feed_some(std::uint64_t index) {
  if (ordered() && !places_.acquire(ctx())) return 0;
  std::uint64_t count = 0;
  const ref<job> j = next_job(index, count);
  if (!j) return 0;
  items_.add();
  try {
    pool_.post_job(j, ctx());
  } catch (...) {
    items_.done();  // it was not taken
    throw;
  }
  return count;
}

void stream_base::feed() noexcept {
  std::uint64_t index = 0;
  try {
    for (std::uint64_t n = 0; (n = feed_some(index)) > 0; index += n) {
    }
    reached_end_ = !ctx().cancelled() || is_source_at_end();
  } catch (...) {
    // The source's failure, or the end of the context: that is none of its own.
    const std::exception_ptr error = cause_of(std::current_exception());
    if (!ctx().cancelled() && note_failure({index, error}, teller::last_failure) && fail_fast_) {
      own_.cancel(error);
    }
  }
  leave_source();
  items_.wait();
  close_results();
  // Ordering: release; pairs with is_left_behind().
  fed_.store(true, std::memory_order_release);
}

/// True if it is the first.
bool stream_base::note_failure(const failure& f, teller by) noexcept {
  const std::lock_guard lock(lock_);
  if (by == teller::last_failure && !untold_) untold_ = f;
  if (first_) return false;
  first_ = f.error;
  return true;
}

bool stream_base::failed(std::uint64_t index, const std::exception_ptr& error) noexcept {
  if (ctx().cancelled()) {  // an echo of what ended it
    note_lost();
    return true;
  }
  const bool first =
      note_failure({index, error}, fail_fast_ ? teller::last_failure : teller::outcome);
  if (!fail_fast_) return false;
  if (first) own_.cancel(error);
  return true;
}

void stream_base::note_lost() noexcept {
  const std::lock_guard lock(lock_);
  lost_ = true;
}

void stream_base::rethrow_first() {
  std::exception_ptr error;
  {
    const std::lock_guard lock(lock_);
    error = first_;
  }
  if (error) std::rethrow_exception(error);
}

std::optional<stream_base::failure> stream_base::last_failure() {
  const std::lock_guard lock(lock_);
  return std::exchange(untold_, std::nullopt);
}

bool stream_base::is_cut_short() noexcept {
  if (!ctx().cancelled()) return false;
  const std::lock_guard lock(lock_);
  return lost_ || !reached_end_;
}

bool stream_base::is_complete() noexcept {
  const std::lock_guard lock(lock_);
  return reached_end_ && !lost_ && !first_;
}

void stream_base::rethrow_cut_short(const char* who) {
  if (is_cut_short()) throw std::system_error(ctx().error(), who);
}

void stream_base::rethrow_cut_short(const context& above) {
  if (!is_cut_short()) return;
  // Whoever ends a context above may be about to end that of `above`, too. This returns when all
  // that are to end with ours have.
  own_.cancel();
  if (!above.cancelled()) rethrow_cut_short("weir: the stream that the jobs come from");
}

void throw_cannot_try_again() {
  throw std::invalid_argument(
      "weir::process: retry.attempts with jobs that can not be copied: the first attempt uses its "
      "job up. Let f be no template, and take the job as const T&; or use 1.");
}

}  // namespace weir::detail
