// SPDX-License-Identifier: MIT
#include "weir/process.hpp"

#include <algorithm>
#include <mutex>
#include <stdexcept>
#include <system_error>

#include "pool/pool_options.hpp"

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
  const std::int64_t workers =
      o.workers.is_adaptive() ? o.workers.max() : std::int64_t{first_workers(o.workers)};
  // All batches that can be on their way; but the window is memory, and batches can be smaller.
  constexpr std::uint64_t enough = 16'384;
  const auto jobs = static_cast<std::uint64_t>(workers) +
                    static_cast<std::uint64_t>(std::max<std::int64_t>(o.queue, 0));
  return jobs >= enough ? jobs : std::min(enough, jobs * batch_for(o));
}

}  // namespace

stream_base::stream_base(const context& parent, const process_options& options, stream_kind kind)
    : kind_(kind),
      fail_fast_(options.on_error == on_error::fail_fast),
      may_retry_(options.retry.attempts > 1),
      batch_(batch_for(options)),
      window_(window_for(options, kind == stream_kind::in_order)),
      queue_(options.queue),
      own_(with_cancel(parent)),
      places_(static_cast<std::int64_t>(window_)),
      pool_(own_.ctx, pool_for(options)) {}

std::size_t stream_base::results_capacity() const noexcept {
  return ordered() ? static_cast<std::size_t>(window_) : static_cast<std::size_t>(queue_);
}

std::exception_ptr stream_base::stopped() {
  return std::make_exception_ptr(
      std::system_error(make_error_code(errc::cancelled), "weir::process: a job that never ran"));
}

void stream_base::start() {
  feeder_.go([this] { feed(); });
}

void stream_base::finish() noexcept {
  own_.cancel();
  (void)pool_.stop();  // what never ran is counted out here
  feeder_.wait();
  pool_.wait();
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
  try {
    for (std::uint64_t index = 0, n = 0; (n = feed_some(index)) > 0; index += n) {
    }
  } catch (...) {
    // The source's failure, or the end of the context: that is none of its own.
    if (!ctx().cancelled()) {
      const std::exception_ptr error = std::current_exception();
      {
        const std::lock_guard lock(lock_);
        if (!first_) first_ = error;
      }
      own_.cancel(error);
    }
  }
  items_.wait();
  close_results();
}

bool stream_base::failed(const std::exception_ptr& error) noexcept {
  if (ctx().cancelled()) return true;  // an echo of what ended it
  bool first = false;
  {
    const std::lock_guard lock(lock_);
    first = !first_;
    if (first) first_ = error;
  }
  if (!fail_fast_) return false;
  if (first) own_.cancel(error);
  return true;
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
  if (!first_ || !ctx().cancelled() || std::exchange(told_, true)) return std::nullopt;
  return failure{0, first_};
}

}  // namespace weir::detail
