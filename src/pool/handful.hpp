// SPDX-License-Identifier: MIT
#pragma once
// Small jobs, several at a time for one worker. To take one out of the pool's queue costs it a
// cache line from another processor, a tenth of a job of a microsecond. So of jobs that small a
// worker takes a few at once. Those that have not begun are still everybody's: whoever has all of
// the pool takes them back into the queue, and a worker does so before it becomes idle.
//
//   if (first.leads != 0) few.fill(first);    // under the pool's lock
//   while (job* j = few.take()) …             // the worker, without it
//   few.stop(); port::process_barrier(); n = few.begun();     // under the lock, another
//
// The addresses come with the first of them: whoever turns around what has come in by the inbox has
// each job at hand for a moment, and leaves them there (turn_around.hpp). To go from one to the
// next instead would be a cache line from another processor for each.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "pool/job_memory.hpp"
#include "pool/stoppable_count.hpp"
#include "runtime/clock.hpp"
#include "weir/detail/job.hpp"

namespace weir::detail {

/// What a small job takes at most. 16 of them are no longer than a carrier lets its tasks wait
/// anyway. (For tests any job may be small.)
inline constinit std::atomic<time_ns> small_job_ns{2000};

/// The addresses that stand at the end of a job's block while it leads. Invariant: the job::leads
/// that follow it in the queue, which are simple, so that each is there until it is the first; then
/// the one behind them, null if it is not known. So what comes back into the queue leads nobody.
class job_bundle {
 public:
  static constexpr std::uint32_t most = 15;

  explicit job_bundle(job& leader) noexcept
      : room_(leader.lead_room == 0 ? 0 : (2U << leader.lead_room) - 1),
        jobs_(reinterpret_cast<job**>(reinterpret_cast<std::byte*>(&leader) + job_block_size) -
              (room_ + 1)) {}
  /// How many may follow: 0, 3, 7 or 15.
  [[nodiscard]] std::uint32_t room() const noexcept { return room_; }
  [[nodiscard]] job*& operator[](std::size_t i) const noexcept { return jobs_[i]; }
  [[nodiscard]] job* const* begin() const noexcept { return jobs_; }

 private:
  std::uint32_t room_;
  job** jobs_;
};

/// A worker's. It is open from fill() until it is stopped.
class handful {
 public:
  // Under the pool's lock.
  /// The worker: `first`, which has begun, and those that it leads.
  void fill(job& first) noexcept {
    jobs_[0] = &first;
    std::copy_n(job_bundle(first).begin(), first.leads, jobs_.begin() + 1);
    count_ = 1U + first.leads;
    since_ = first.since;
    for (std::uint32_t i = 1; i < std::min(fetched_ahead, count_); ++i) fetch_job_block(jobs_[i]);
    begun_.start(1);
  }
  [[nodiscard]] bool is_open() const noexcept { return !begun_.is_stopped(); }
  /// Nothing is taken any more. By another than the worker: process_barrier() follows.
  void stop() noexcept { begun_.stop(); }
  /// How many have begun, once it is stopped. The last of them may be over.
  [[nodiscard]] std::uint32_t begun() noexcept { return begun_.stopped_at(); }
  [[nodiscard]] std::uint32_t size() const noexcept { return count_; }
  [[nodiscard]] job& operator[](std::size_t i) const noexcept { return *jobs_[i]; }
  /// When the first began; the others were soon to follow.
  [[nodiscard]] std::int64_t since() const noexcept { return since_; }
  /// The worker, if is_disputed(): what it took, if that was in time.
  [[nodiscard]] job* settle() noexcept {
    const std::uint32_t n = begun_.value();
    clear();
    return begun_.has_counted() ? jobs_[n - 1] : nullptr;
  }

  // The worker, without it.
  /// The next one, which begins; the one before is over. Null: there is none here, or it
  /// is_disputed().
  [[nodiscard]] job* take() noexcept {
    if (!has_more()) return nullptr;
    const std::uint32_t n = begun_.value();
    disputed_ = !begun_.increment();
    if (disputed_) [[unlikely]]
      return nullptr;
    if (n + fetched_ahead - 1 < count_) fetch_job_block(jobs_[n + fetched_ahead - 1]);
    return jobs_[n];
  }
  /// It has been stopped while the worker thought that there was one more.
  [[nodiscard]] bool is_disputed() const noexcept { return disputed_; }
  /// As far as the worker knows.
  [[nodiscard]] bool has_more() const noexcept { return begun_.value() < count_; }
  /// There is none for the worker.
  void clear() noexcept {
    count_ = 0;
    disputed_ = false;
  }

 private:
  static constexpr std::uint32_t fetched_ahead = 3;  // jobs, each of which takes a while

  stoppable_count begun_;
  // Written by the worker, under the lock, and disputed_ without.
  std::uint32_t count_ = 0;
  bool disputed_ = false;
  std::int64_t since_ = 0;
  std::array<job*, 1 + job_bundle::most> jobs_{};
};

}  // namespace weir::detail
