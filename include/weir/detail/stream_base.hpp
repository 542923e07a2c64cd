// SPDX-License-Identifier: MIT
#pragma once
// A stream without its types: the pool that runs its jobs, the task that feeds it, the window, and
// the first failure. See process.hpp.
//
// The life of a job: the feeder makes it and posts it; a worker runs it; completed() puts its
// outcome where the loop takes it, and counts the job out. When the source has ended and all jobs
// are counted out the feeder closes the results. What is noted until then, the loop sees.

#include <atomic>
#include <cstdint>
#include <exception>
#include <optional>

#include "../pool.hpp"
#include "../sync.hpp"
#include "job.hpp"

namespace weir {

/// What process() and its kin can be told; see pool_options for what each means.
struct process_options {
  worker_count workers = {};
  /// Jobs that may wait, and, unless in order, results that may: so much the source may be ahead of
  /// the workers, and they of the loop.
  amount queue = 64;
  /// In order: how many jobs, from the one the loop waits for, may be under way or done; 0: as many
  /// as there are workers and places in the queue.
  amount window = 0;
  /// Jobs that go to a worker together and run one after the other; for jobs so small that their
  /// way costs more than they do (docs/guide.md). Of a channel or a stream as many as are there, of
  /// a range always so many, however long it takes to give them. `queue` and stats() count batches
  /// then. A job must not wait for what one behind it does. Timeouts, retries and rates are each
  /// job's: not with more than 1. At most 65,536.
  amount batch = 1;
  weir::on_error on_error = weir::on_error::fail_fast;
  std::chrono::nanoseconds timeout{0};
  retry_policy retry = {};
  rate_limit rate = {};
  memory_brake brake = {};
  weir::host host = weir::host::tasks;
  std::string name = "process";
};

namespace detail {

/// What comes out of a stream.
enum class stream_kind : std::uint8_t { as_done, in_order, failures };

class stream_base {
 public:
  struct failure {
    std::uint64_t index;
    std::exception_ptr error;
  };

  stream_base(const context& parent, const process_options& options, stream_kind kind);
  virtual ~stream_base() = default;
  stream_base(const stream_base&) = delete;
  stream_base& operator=(const stream_base&) = delete;

  [[nodiscard]] const context& ctx() const noexcept { return own_.ctx; }
  [[nodiscard]] bool may_retry() const noexcept { return may_retry_; }
  /// The end of a job that the pool stopped before it began.
  [[nodiscard]] static std::exception_ptr stopped() noexcept;
  /// Why a job has failed: where the pool ended by itself, that.
  [[nodiscard]] std::exception_ptr cause_of(std::exception_ptr error) const noexcept;
  /// A job's outcome has been dealt with.
  void item_done() const { items_.done(); }
  [[nodiscard]] pool_stats stats() const { return pool_.stats(); }
  /// By its handle, which ends: what feeds it will never come to its end, and what is left may be
  /// used for as long as the process lasts.
  [[nodiscard]] bool is_left_behind() noexcept;
  /// No more is wanted; does not wait.
  void cancel() const noexcept { own_.cancel(); }

  // After the last result.
  /// Throws the first failure, if there was one.
  void rethrow_first();
  /// The failure that no outcome told of: that which cancelled the rest, or the source's. Once.
  [[nodiscard]] std::optional<failure> last_failure();
  /// If the context has ended before all was done: throws its error.
  void rethrow_cut_short(const char* who);
  /// The same for a stream above, under `above`; nothing if that ends with the same context.
  void rethrow_cut_short(const context& above);

 protected:
  /// Begins to feed; the derived class is complete.
  void start();
  /// Cancels, and waits until nothing of the stream runs. Called first by the last destructor.
  void finish() noexcept;
  /// Notes a failure; true if its outcome is not to be put: it cancels the rest, or comes of that.
  [[nodiscard]] bool failed(std::uint64_t index, const std::exception_ptr& error) noexcept;
  /// An outcome gets nowhere: the context has ended.
  void note_lost() noexcept;
  /// Is all done, without a failure? Once the results are used up.
  [[nodiscard]] bool is_complete() noexcept;
  [[nodiscard]] bool wants_values() const noexcept { return kind_ != stream_kind::failures; }
  [[nodiscard]] bool ordered() const noexcept { return kind_ == stream_kind::in_order; }
  [[nodiscard]] std::uint64_t batch() const noexcept { return batch_; }
  [[nodiscard]] std::uint64_t window() const noexcept { return window_; }
  [[nodiscard]] std::size_t results_capacity() const noexcept;
  /// Throws std::invalid_argument: there is no memory for so many results.
  [[noreturn]] void refuse_capacity() const;
  /// Is there one in the window? Always, unless in order.
  [[nodiscard]] bool take_place() const { return !ordered() || places_.try_acquire(); }
  void give_place() const {
    if (ordered()) places_.release();
  }

  /// The next of the source, as one job, and how many they are; null at its end; may wait, and may
  /// throw. There is a place for the first.
  virtual ref<job> next_job(std::uint64_t index, std::uint64_t& count) = 0;
  /// When the context is done: is it known that the source has no more?
  [[nodiscard]] virtual bool is_source_at_end() = 0;
  /// Nothing is taken of it any more.
  virtual void leave_source() noexcept = 0;
  virtual void close_results() = 0;

 private:
  void feed() noexcept;
  [[nodiscard]] std::uint64_t feed_some(std::uint64_t index);
  enum class teller : std::uint8_t { outcome, last_failure };
  [[nodiscard]] bool note_failure(const failure& f, teller by) noexcept;
  [[nodiscard]] bool is_cut_short() noexcept;

  class feeding_pool : public pool<> {
   public:
    using pool<>::pool;
    using pool<>::has_lost_its_runtime;
    using pool<>::has_lost_its_workers;
    using pool<>::cancel_too;
    void post_job(const ref<job>& j, const context& ctx) const {
      this->describe(*j);
      (void)this->admit(j, &ctx, true);
    }
  };

  const stream_kind kind_;
  const bool fail_fast_;
  const bool may_retry_;
  const std::uint64_t batch_;
  const std::uint64_t window_;  // 0: not in order
  const bool window_is_given_;
  const std::int64_t queue_;
  const cancellable_context own_;
  const semaphore places_;  // of the window
  const wait_group items_;
  const wait_group feeder_;
  spin_lock lock_;  // guards the three below
  std::exception_ptr first_;
  std::optional<failure> untold_;  // no outcome does, so last_failure() has to
  bool lost_ = false;              // an outcome, because the context had ended
  bool reached_end_ = false;       // of the source; the feeder's until it closes the results
  std::atomic<bool> fed_{false};   // the feeder has only to return
  stream_base* next_left_ = nullptr;
  feeding_pool pool_;
};

/// Ends a stream, for its handle.
struct stream_end {
  void operator()(stream_base* s) const noexcept {
    if (!s->is_left_behind()) delete s;
  }
};

/// Retries, and f uses up what it gets, which has no copy.
[[noreturn]] void throw_cannot_try_again();

}  // namespace detail
}  // namespace weir
