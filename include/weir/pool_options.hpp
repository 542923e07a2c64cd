// SPDX-License-Identifier: MIT
#pragma once
// What a pool, and a job, can be told. Everything has a default that is right for work that keeps a
// CPU busy; name only what you change:
//
//   weir::pool p{{.workers = 8, .queue = 64, .when_full = weir::when_full::reject}};
//   p.submit({.timeout = 2s, .retry = {.attempts = 3}, .name = "fetch"}, fetch);
//
// A value that makes no sense (a negative queue, a factor below one) throws std::invalid_argument
// that names it, from the constructor or the submit that it was given to.

#include <chrono>
#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "amount.hpp"
#include "limit.hpp"

namespace weir {

class job_tracer;
class runtime;

/// What submit does when the queue is full.
enum class when_full {
  block,        ///< wait for room: backpressure. Ends with the context, the deadline, close().
  reject,       ///< throw errc::full
  drop_oldest,  ///< the job that has waited longest is dropped: its future says errc::dropped
  drop_newest,  ///< the new job is dropped: its future says errc::dropped
  /// The caller runs the new job itself, and gets on when it is done. (In a pool<State> with a
  /// State of its own: there may be as many more as there are callers.)
  run_in_caller,
};

/// What one job's exception does to the others.
enum class on_error {
  collect,    ///< nothing: each failure is its own job's outcome
  fail_fast,  ///< the first one cancels the pool's context, with that exception as the cause
};

/// What a worker is.
enum class host {
  tasks,    ///< a task: thousands are cheap, and one that waits on Weir's words costs no thread
  threads,  ///< a thread of its own, for libraries that insist (thread-locals, affinity)
};

/// In which order jobs of one priority start.
enum class start_order {
  submitted,  ///< in that in which they were submitted, from one queue to whoever is free next
  any,        ///< of posted jobs of a microsecond or two a worker may take up to 16 at once, to run
              ///< them one after the other: a tenth faster. What it has not begun goes to whoever
              ///< becomes idle, so no job waits for a free worker. But such jobs must not wait for
              ///< each other: of two workers each could be in one that waits, with the one that it
              ///< waits for in the queue. (To get() a future is no such wait.) Of no effect where
              ///< there is something to be done for each job (.timings, .tracer, .rate, .timeout,
              ///< .brake), with another .when_full than block, and with host::threads.
};

/// Which queued jobs go first. One that has been passed over 16 times by a higher priority is next
/// whatever its own: nothing starves.
enum class priority : std::uint8_t { high, normal, low };

/// What a job takes of a budget. Both are the caller's estimate; 0 takes nothing.
struct cost {
  amount memory = 0;  ///< bytes
  amount units = 0;   ///< anything else that is scarce: slots, requests, tokens
  friend constexpr bool operator==(const cost&, const cost&) = default;
};

inline namespace literals {
/// 64_MiB and its kin: bytes, for cost::memory.
constexpr std::int64_t operator""_KiB(unsigned long long n) {
  return static_cast<std::int64_t>(n << 10);
}
constexpr std::int64_t operator""_MiB(unsigned long long n) {
  return static_cast<std::int64_t>(n << 20);
}
constexpr std::int64_t operator""_GiB(unsigned long long n) {
  return static_cast<std::int64_t>(n << 30);
}
}  // namespace literals

/// Let the pool find the number of workers, between the two: it grows while jobs are queued, CPUs
/// are idle and throughput follows (src/pool/sizing.hpp). For work that waits as well as computes.
struct adaptive {
  amount min = 1;
  amount max = 64;
};

/// How many workers: a number, weir::adaptive, or (the default, 0) as many as this process may use
/// CPUs: right for jobs that compute.
class worker_count {
 public:
  worker_count() = default;
  template <detail::countable N>
  worker_count(N n) : worker_count(amount(n)) {}                           // NOLINT: `.workers = 8`
  worker_count(amount n) : min_(n), max_(n) {}                             // NOLINT: as above
  worker_count(adaptive a) : min_(a.min), max_(a.max), adaptive_(true) {}  // NOLINT: as above
  [[nodiscard]] std::int64_t min() const noexcept { return min_; }
  [[nodiscard]] std::int64_t max() const noexcept { return max_; }
  [[nodiscard]] bool is_adaptive() const noexcept { return adaptive_; }

 private:
  std::int64_t min_ = 0;
  std::int64_t max_ = 0;
  bool adaptive_ = false;
};

namespace detail {
/// A std::function but for its destructor, which is not inline: of temporary options, as in
/// pool({.workers = 8}), g++ 12 else says at -O3, with -Wall, that it may be uninitialized.
class retry_test : public std::function<bool(const std::exception_ptr&)> {
 public:
  using function::function;
  retry_test() = default;
  retry_test(const retry_test&) = default;
  retry_test(retry_test&&) noexcept = default;
  retry_test& operator=(const retry_test&) = default;
  retry_test& operator=(retry_test&&) noexcept = default;
  ~retry_test();
};
}  // namespace detail

/// How often, and after which waits, a job that throws is tried again. The wait before attempt n is
/// first * factor^(n-2), at most `max`, of which a random part of `jitter` is left out (0: none, 1:
/// all of it) so that jobs that failed together do not come back together. No worker is held while
/// a job waits, but its place in the queue is, so what waits is bounded, too.
struct retry_policy {
  amount attempts = 1;  ///< in all; 1: no retry
  std::chrono::nanoseconds first = std::chrono::milliseconds(100);
  std::chrono::nanoseconds max = std::chrono::seconds(30);
  double factor = 2;
  double jitter = 0.5;
  /// Is it worth another attempt? Empty: every exception is. A job that was cancelled is not asked.
  /// (A std::function<bool(const std::exception_ptr&)>.)
  detail::retry_test retry_if = {};
};

/// Holds jobs back while memory is short, on this machine or in this process's cgroup. One job may
/// always run, so that the pool gets on.
struct memory_brake {
  /// Bytes that must be free to be had before another job starts; 0: off.
  amount min_available = 0;
  /// The share of time, in percent, in which somebody waited for memory over the last ten seconds
  /// (Linux: memory.pressure, some avg10) above which no other job starts; 0: off.
  double max_pressure = 0;
};

/// What a submit can say of its job; empty fields are the pool's.
struct job_options {
  weir::cost cost = {};
  weir::priority priority = weir::priority::normal;
  /// How long one attempt may run before its context is done with errc::deadline_exceeded, and the
  /// job's outcome is that; 0: as the pool says.
  std::chrono::nanoseconds timeout{0};
  retry_policy retry = {.attempts = 0};  ///< attempts 0: as the pool says
  std::string name = {};                 ///< for reports, traces and the watchdog
};

struct pool_options {
  worker_count workers = {};
  /// Jobs that may wait; 0: none, a job is handed to a worker or not taken.
  amount queue = 1024;
  /// What the jobs that wait may cost in all; 0: no such bound. A job that costs more than all of
  /// it is refused.
  weir::cost queue_cost = {};
  weir::when_full when_full = weir::when_full::block;
  weir::on_error on_error = weir::on_error::collect;
  start_order order = start_order::submitted;
  /// What the jobs that run may cost in all; 0: no such bound. The next job in line waits until it
  /// fits, and is not overtaken by cheaper ones, or it would starve.
  weir::cost budget = {};
  std::chrono::nanoseconds timeout{0};  ///< of one attempt of a job; 0: none
  retry_policy retry = {};
  rate_limit rate = {};  ///< a token_bucket or sliding_window: at most so many starts; empty: none
  memory_brake brake = {};
  weir::host host = weir::host::tasks;
  std::vector<int> affinity = {};  ///< host::threads: worker i runs on CPU affinity[i % size] only
  std::string name = "pool";       ///< workers are named "<name> 1", "<name> 2"…
  /// The runtime whose tasks the workers are; null: the one that is current at construction. The
  /// pool has to end first: until then its workers, also idle ones, are tasks that ~runtime and
  /// shutdown() wait for. When that gives up, or ends before the pool had a worker, the pool takes
  /// no more (errc::closed), and what is queued is errc::cancelled. A pool of threads goes on.
  weir::runtime* runtime = nullptr;
  /// Called by each worker, with its number from 1, as the first and the last thing it does. An
  /// exception from the first ends the pool as fail_fast does: there may be no other worker. One
  /// from the last is told as a posted job's is.
  std::function<void(int)> on_worker_start = {};
  std::function<void(int)> on_worker_stop = {};
  /// Gets the exception of a posted job, which has no future: from the worker, which waits for it.
  /// Empty: a line on standard error. stats().failed counts a job's in any case.
  std::function<void(const std::exception_ptr&)> on_uncaught = {};
  /// The watchdog: a job that has run for longer is reported to on_stuck, once; 0: off.
  std::chrono::nanoseconds stuck_after{0};
  /// Gets the job's name and age. Empty: a line on standard error.
  std::function<void(const std::string&, std::chrono::nanoseconds)> on_stuck = {};
  /// Two looks at the clock for each job, for timings(), and exact ages. Without it timings() is
  /// empty, and ages are a few milliseconds off.
  bool timings = false;
  /// Is told of each job as it is submitted, starts and ends; see trace.hpp. Empty: nobody.
  std::shared_ptr<job_tracer> tracer = {};
};

}  // namespace weir
