// SPDX-License-Identifier: MIT
#pragma once
// pool: a fixed crew of workers behind a bounded queue.
//
//   weir::pool p{{.workers = 8, .queue = 1024}};
//   weir::future<int> size = p.submit([] { return fetch("https://…"); });
//   p.post([] { log("no result wanted"); });
//   std::cout << size.get();                      // its result, or its exception
//   // the destructor takes no more jobs, and waits for those that it has
//
// Guarantees
//   - Bounded: at most .workers jobs run and .queue wait; whoever submits more waits, or gets what
//     .when_full says. memory_bound() is the most that the pool itself holds.
//   - Nothing is silent: every job that was taken ends as done, failed, cancelled or dropped; its
//     future says which, stats() counts it. A posted job's exception goes to on_uncaught.
//   - A failing job never stops a worker.
//   - Within a priority jobs start in the order in which they were submitted, unless .order says
//     that any will do.
//   - A job that submits to its own full pool runs the new job itself, and one that waits for a
//     queued job of its own pool runs that one: no pool waits for itself. (A job that is run so
//     comes to its end before the one below goes on: it must not wait for what that one does later.
//     And the job has to wait itself: that it waits for a task or a thread of its own, which waits
//     for a job, the pool does not know.)
//   - What happened before submit is visible in the job.
//
// When not to use one: for an answer that must come at once, and for jobs of less than some 100 ns:
// docs/guide.md.
// Thread safety: every method may be called by any task or thread, and from inside a job.
// Cost: a job takes one lock to submit and one to run, and no allocation once the pool is warm, if
// its function and result are small (together about 100 bytes).

#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "context.hpp"
#include "detail/job.hpp"
#include "detail/spawn.hpp"
#include "future.hpp"
#include "histogram.hpp"
#include "pool_options.hpp"

namespace weir {

/// Counts of jobs since the pool was made. A snapshot: all of one moment.
struct pool_stats {
  std::uint64_t submitted = 0;  ///< every call of submit, try_submit, post
  std::uint64_t done = 0;       ///< returned
  std::uint64_t failed = 0;     ///< threw (for the last time), or did not return within its timeout
  std::uint64_t cancelled = 0;  ///< by its context, stop() or fail_fast, before it started or since
  std::uint64_t rejected = 0;   ///< not taken: the queue was full, or the pool closed
  std::uint64_t dropped = 0;    ///< by drop_oldest or drop_newest
  std::uint64_t retried = 0;    ///< attempts after the first; not part of the sum
  std::uint64_t running = 0;    ///< now
  std::uint64_t depth = 0;      ///< now: queued, or waiting for another attempt or for room
  std::uint64_t workers = 0;    ///< now: that exist; they are started when there is work
  std::uint64_t idle = 0;       ///< now: of those, that wait for a job
  std::chrono::nanoseconds oldest{0};  ///< how long the job that is next in line has been queued
};

/// How long jobs waited in the queue, and how long each attempt ran. With .timings only: else all
/// empty.
struct pool_timings {
  histogram waiting;
  histogram running;
};

/// A job that runs.
struct running_job {
  std::string name;  ///< as given; "job" if none was
  std::chrono::nanoseconds age{0};
};

/// How a pool stands, or ended.
struct pool_report {
  pool_stats stats;
  std::vector<running_job> still_running;
};

/// What stop() returns: the jobs that were queued and never ran. Their futures wait until they are
/// run here, or this is destroyed: then they say errc::cancelled.
class unrun_jobs {
 public:
  unrun_jobs() = default;
  unrun_jobs(unrun_jobs&&) noexcept = default;
  unrun_jobs& operator=(unrun_jobs&&) noexcept;
  ~unrun_jobs();

  [[nodiscard]] std::size_t size() const noexcept { return jobs_.size(); }
  [[nodiscard]] bool empty() const noexcept { return jobs_.empty(); }
  /// The name of the i-th, empty if it has none.
  [[nodiscard]] std::string name(std::size_t i) const;
  /// Runs the i-th in the caller, once; its future gets what comes of it. Its context is that which
  /// it was submitted with, if any. A pool<State>'s job can not be run without its State: throws
  /// std::logic_error. What a posted job throws, it throws.
  void run(std::size_t i);
  /// How the pool stood when it was stopped.
  [[nodiscard]] const pool_report& report() const noexcept { return report_; }

 private:
  friend class detail::pool_core;
  void give_up() noexcept;
  std::vector<detail::ref<detail::job>> jobs_;
  pool_report report_;
};

namespace detail {

/// Makes a worker's State; null for a pool without.
using make_state = std::function<std::shared_ptr<void>()>;

/// A State where it is made: it need not be movable.
template <class State>
struct made_state {
  template <class Make>
  explicit made_state(Make& make) : value(make()) {}
  State value;
};

/// What every pool is, whatever its State.
class pool_base {
 public:
  pool_base(const pool_base&) = delete;
  pool_base& operator=(const pool_base&) = delete;

  /// Takes no more jobs, but from its own jobs. Releases whoever waits in submit: errc::closed.
  void close() const;
  /// Waits until every job has ended. In a job: until all others have, but for those that wait
  /// here as well. (A task that a job waits for is outside: it would wait for that job.)
  void wait() const;
  /// The same; false when ctx is done first.
  [[nodiscard]] bool wait(const context& ctx) const;
  /// close(); cancels the context of what runs; returns what has never run. Does not wait: wait()
  /// does. A `cause` becomes that of ctx().
  unrun_jobs stop(std::exception_ptr cause = nullptr) const;
  /// From now on so many workers; those that are too many end after their job.
  void resize(worker_count n) const;
  /// Starts no more jobs until resume(); what runs goes on.
  void pause() const;
  void resume() const;

  [[nodiscard]] pool_stats stats() const;
  [[nodiscard]] pool_timings timings() const;
  [[nodiscard]] pool_report report() const;
  /// How many workers there are meant to be.
  [[nodiscard]] int workers() const;
  /// The most memory, in bytes, that the pool itself can hold: its jobs, its workers' stacks, and,
  /// once a job has had a context of its own, a timeout, a name or retries, what those take for
  /// each of its places; for the pool's retries from the first. Not what is the user's: what jobs
  /// allocate, the text of names, functions of more than a hundred bytes or so.
  [[nodiscard]] std::size_t memory_bound() const;
  /// Done when the parent is, after stop(), or after the first failure with on_error::fail_fast.
  [[nodiscard]] const context& ctx() const noexcept;

 protected:
  pool_base(const context& parent, pool_options options, make_state make);
  /// close() and wait(), then joins the workers. In a job of the pool it waits for the others'
  /// jobs, and the workers end by themselves. A pool that is static: when main has returned, tasks
  /// run no longer, and what is left in it is not run. Jobs that threads run then are cancelled by
  /// their contexts, waited for up to 100 ms, and then let go, as tasks that compute are. Nor does
  /// it wait for a runtime that has given up: see runtime::shutdown().
  ~pool_base();

  /// The queue gets this reference.
  bool admit(ref<job> j, const context* until, bool may_wait) const;
  // For a stream, which has a task beside the pool, and whose state its jobs name.
  [[nodiscard]] bool has_lost_its_runtime() const noexcept;
  [[nodiscard]] bool has_lost_its_workers() const noexcept;
  void cancel_too(cancel_func also) const;

  /// Puts the options into the job; without, those of the pool.
  void describe(job& j, const context* ctx, job_options&& options) const;
  void describe(job& j) const;

  ref<pool_core> core_;
};

}  // namespace detail

namespace detail {
template <class>
struct pool_schedule;  // in pool_coroutine.hpp
}

/// State: what each worker has for itself (a connection, a buffer), which jobs get as State&.
template <class State = void>
class pool : public detail::pool_base {
  template <class F>
  using result_of = detail::job_result<F, State>;

 public:
  /// Starts no worker before there is work. Throws std::invalid_argument that names an option that
  /// is out of range.
  explicit pool(pool_options options = {}) : pool(background(), std::move(options)) {}
  /// Its jobs are cancelled when `parent` is done.
  explicit pool(const context& parent, pool_options options = {})
      : pool_base(parent, std::move(options), default_state()) {}
  /// Each worker's State is what `make` returns, which it calls as its first act. If that throws,
  /// the pool ends as with fail_fast, with the exception as ctx().cause() and its text in what
  /// submit and the futures throw: make() has to try again itself, if that is worth it.
  template <std::invocable Make>
    requires(!std::is_void_v<State>)
  pool(pool_options options, Make make) : pool(background(), std::move(options), std::move(make)) {}
  template <std::invocable Make>
    requires(!std::is_void_v<State>)
  pool(const context& parent, pool_options options, Make make)
      : pool_base(parent, std::move(options), [make = std::move(make)] {
          const auto made = std::make_shared<detail::made_state<State>>(make);
          return std::shared_ptr<void>(made, &made->value);
        }) {}
  ~pool() = default;

  /// Takes f; its result, exception or other end is the future's. f may take a const context&,
  /// which is done when the job is to stop, and, in a pool<State>, a State& after it.
  /// Throws std::system_error, and has not taken f: errc::closed; errc::full if the queue is and
  /// .when_full says reject; the error of the pool's context once that is done; errc::forked.
  template <class F>
    requires detail::job_function<F, State>
  future<result_of<F>> submit(F f) const {
    job_of<F> j = make_job(std::move(f));
    this->describe(*j);
    (void)this->admit(j, nullptr, true);
    return future<result_of<F>>(std::move(j));
  }
  /// The same, for as long as ctx is not done: it releases a submit that waits (throws its error),
  /// ends a job that is queued, and is the parent of the context that the job gets.
  template <class F>
    requires detail::job_function<F, State>
  future<result_of<F>> submit(const context& ctx, F f) const {
    return submit_with(&ctx, {}, std::move(f));
  }
  template <class F>
    requires detail::job_function<F, State>
  future<result_of<F>> submit(job_options options, F f) const {
    return submit_with(nullptr, std::move(options), std::move(f));
  }
  template <class F>
    requires detail::job_function<F, State>
  future<result_of<F>> submit(const context& ctx, job_options options, F f) const {
    return submit_with(&ctx, std::move(options), std::move(f));
  }
  template <class F>
    requires detail::job_function<F, State>
  future<result_of<F>> submit(cost c, F f) const {
    return submit_with(nullptr, {.cost = c}, std::move(f));
  }
  template <class F>
    requires detail::job_function<F, State>
  future<result_of<F>> submit(const context& ctx, cost c, F f) const {
    return submit_with(&ctx, {.cost = c}, std::move(f));
  }

  /// Never waits, drops nothing, runs nothing: empty if there is no room. Throws as submit does
  /// when the pool is closed or has ended.
  template <class F>
    requires detail::job_function<F, State>
  [[nodiscard]] std::optional<future<result_of<F>>> try_submit(F f) const {
    return try_submit(job_options{}, std::move(f));
  }
  template <class F>
    requires detail::job_function<F, State>
  [[nodiscard]] std::optional<future<result_of<F>>> try_submit(job_options options, F f) const {
    auto j = make_job(nullptr, std::move(options), std::move(f));
    if (!this->admit(j, nullptr, false)) return std::nullopt;
    return future<result_of<F>>(std::move(j));
  }

  /// As submit, for a job whose result nobody wants: it is discarded. An exception goes to
  /// pool_options::on_uncaught.
  template <class F>
    requires detail::job_function<F, State>
  void post(F f) const {
    detail::ref<detail::job> j = make_posted(std::move(f));
    this->describe(*j);
    (void)this->admit(std::move(j), nullptr, true);
  }
  template <class F>
    requires detail::job_function<F, State>
  void post(const context& ctx, F f) const {
    post_with(&ctx, {}, std::move(f));
  }
  template <class F>
    requires detail::job_function<F, State>
  void post(job_options options, F f) const {
    post_with(nullptr, std::move(options), std::move(f));
  }
  template <class F>
    requires detail::job_function<F, State>
  void post(const context& ctx, job_options options, F f) const {
    post_with(&ctx, std::move(options), std::move(f));
  }

  /// As try_submit, for a job whose result nobody wants; false if there is no room.
  template <class F>
    requires detail::job_function<F, State>
  [[nodiscard]] bool try_post(F f) const {
    return try_post(job_options{}, std::move(f));
  }
  template <class F>
    requires detail::job_function<F, State>
  [[nodiscard]] bool try_post(job_options options, F f) const {
    detail::ref<detail::job> j = make_posted(std::move(f));
    this->describe(*j, nullptr, std::move(options));
    return this->admit(std::move(j), nullptr, false);
  }

  /// `co_await p.schedule()` goes on as a job of this pool. Include pool_coroutine.hpp.
  template <class Unused = void>
  [[nodiscard]] auto schedule() const {
    return detail::pool_schedule<Unused>::on(*this);
  }

 private:
  template <class F>
  using job_of = detail::ref<detail::result_job<result_of<F>>>;

  static detail::make_state default_state() {
    if constexpr (std::is_void_v<State>) {
      return nullptr;
    } else if constexpr (std::default_initializable<State>) {
      return [] { return std::make_shared<State>(); };
    } else {
      static_assert(std::default_initializable<State>,
                    "pool<State>: pass a function that makes a State, after the options");
    }
  }
  template <class F>
  static job_of<F> make_job(F f) {
    detail::check_callable(f, "pool");
    return detail::make_ref<detail::submitted_job<F, State>>(std::move(f));
  }
  template <class F>
  static detail::ref<detail::job> make_posted(F f) {
    detail::check_callable(f, "pool");
    return detail::make_ref<detail::posted_job<F, State>>(std::move(f));
  }
  template <class F>
  job_of<F> make_job(const context* ctx, job_options options, F f) const {
    job_of<F> j = make_job(std::move(f));
    this->describe(*j, ctx, std::move(options));
    return j;
  }
  template <class F>
  future<result_of<F>> submit_with(const context* ctx, job_options options, F f) const {
    auto j = make_job(ctx, std::move(options), std::move(f));
    (void)this->admit(j, ctx, true);
    return future<result_of<F>>(std::move(j));
  }
  template <class F>
  void post_with(const context* ctx, job_options options, F f) const {
    detail::ref<detail::job> j = make_posted(std::move(f));
    this->describe(*j, ctx, std::move(options));
    (void)this->admit(std::move(j), ctx, true);
  }
};

pool(pool_options) -> pool<void>;
pool(const context&, pool_options) -> pool<void>;

}  // namespace weir
