// SPDX-License-Identifier: MIT
#pragma once
// A pool without the types of its jobs: the queue, the workers, and who waits for what.
//
// One lock guards it all: a worker takes it once between two jobs, to hand in the one and to get
// the next. Nothing of the user's runs under it. A job that comes need not take it: while there is
// a backlog and nobody has to be told of one more job, the inbox is open (job_inbox.hpp). A worker
// that finds the next job in the queue leaves the inbox as it is, and of small jobs it takes a few
// at once, which it runs without the lock (handful.hpp). Everybody else whom the queue concerns has
// the inbox closed and what was in it in the queue, and most have all of the pool, with what has
// not begun of those handfuls in the queue as well: lock() and unlock().
//
// Invariants, under the lock
//   P1  a job that can start while a worker is idle is in that worker's hands, not in the queue;
//       unless another worker is on its way, which will see to it, and the queue has room for more.
//       (Who posts many small jobs would otherwise pay for the wake-up of everybody.)
//   P2  while a submitter waits there is no room for its job; they are served in order.
//   P3  a job is in one place: its priority's queue, a handful, a worker's current, running_ or
//       retrying_, as its state says, which in a handful is `queued` also for the one that runs.
//   P4  with all of the pool, submitted == depth + waiting + retrying + running + done + failed
//       + cancelled + rejected + dropped.
//   P5  the inbox is open only while all workers there should be are there, and one is on its way,
//       or none idle: who is busy looks when its job is over. And while nothing else is to be done
//       for one more job; the places are what the queue has left.
//   P6  a handful is taken only while all workers there should be are there, and one is on its way,
//       or none idle; and who becomes idle takes all of them back first. So nobody is idle while a
//       job waits in one. Otherwise that lasts as long as the jobs before it, or until recall().
//   P7  all jobs of handfuls have their places in the queue, also those that have begun: who finds
//       none takes them back before it says so. While a submitter waits there are no handfuls.
//   P8  what is ended instead of run is in running_ until all that it holds has ended
//       (end_unrun()).
//   P9  a worker's next job is in its hand (has_next) only while nobody waits on its stack.

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "pool/handful.hpp"
#include "pool/handful_trust.hpp"
#include "pool/idle_gaps.hpp"
#include "pool/job_inbox.hpp"
#include "pool/room_forecast.hpp"
#include "pool/sizing.hpp"
#include "runtime/relaxed.hpp"
#include "runtime/reluctance.hpp"
#include "runtime/runtime_core.hpp"
#include "weir/detail/job.hpp"
#include "weir/pool.hpp"
#include "weir/trace.hpp"

namespace weir::detail {

class carrier;

[[nodiscard]] inline bool is_free(const cost& c) noexcept { return c.memory == 0 && c.units == 0; }

// Sums of what nobody bounds may be larger than there are numbers: they wrap around, and come back
// as they went.
inline void add(cost& sum, const cost& c) noexcept {
  const auto one = [](std::int64_t a, std::int64_t b) {
    (void)__builtin_add_overflow(a, b, &a);
    return a;
  };
  sum = {.memory = one(sum.memory, c.memory), .units = one(sum.units, c.units)};
}

inline void subtract(cost& sum, const cost& c) noexcept {
  const auto one = [](std::int64_t a, std::int64_t b) {
    (void)__builtin_sub_overflow(a, b, &a);
    return a;
  };
  sum = {.memory = one(sum.memory, c.memory), .units = one(sum.units, c.units)};
}

/// What became of an attempt.
enum class verdict { done, failed, cancelled, again };

/// A worker, as long as it lives; on its stack.
struct pool_worker {
  int number = 0;
  std::shared_ptr<void> state;  // pool<State>'s
  job* spent = nullptr;         // the job before `current`, over and alone; freed at its end
  bool lock_travels = false;    // between two jobs another processor has the pool's lock
  // Under the pool's lock. Each worker's own, since another's would be another processor's.
  job* current = nullptr;
  std::uint64_t done = 0;
  pool_worker* next = nullptr;  // in crew_
  bool has_let_others = false;  // have its carrier, since the queue was last long
  bool has_next = false;  // it has picked `current`, and has not come to it yet; only it looks here
  // What it runs and runs next, if that is several: which one of all that is, when it was taken, as
  // the number of switches of which carrier, and where others find it.
  handful few{};
  std::uint64_t few_number = 0;
  std::uint64_t few_since = 0;
  const carrier* few_where = nullptr;
  bool holds = false;  // is in holders_
  pool_worker* next_holder = nullptr;
};

/// A job that runs, on the stack of who runs it. They lie above each other where a job runs
/// another.
struct job_frame {
  pool_core* pool;
  job* running;         // null in a worker between two jobs
  pool_worker* worker;  // null in a caller that runs its own job
  job_frame* below;
  bool waits = false;  // counted in inside_; under the pool's lock
};

/// For as long as it lives, the current task or thread runs this job.
class in_frame {
 public:
  explicit in_frame(job_frame& frame) : below_(static_cast<job_frame*>(top_)) {
    frame.below = below_;
    top_ = &frame;
  }
  ~in_frame() { top_ = below_; }
  in_frame(const in_frame&) = delete;
  in_frame& operator=(const in_frame&) = delete;

 private:
  void*& top_ = strand_local();  // wherever a task goes on, it stays its own
  job_frame* const below_;
};

class pool_core : public end_listener {
 public:
  pool_core(const context& parent, pool_options options, make_state make);

  /// Takes the job, waiting for room if the options say so; the reference becomes the queue's.
  /// False: there is none, and may_wait is false. Throws what submit() throws. What was not taken
  /// is left to the caller.
  bool admit(ref<job>& j, const context* until, bool may_wait);
  /// Are we in a job of this pool? Then j runs here if it is still queued.
  bool help(job& j);
  /// Ends j as cancelled if it is queued, or waits for its next attempt.
  void cancel_queued(job& j, std::error_code why);

  /// Puts the options into the job; without, the pool's. Throws std::invalid_argument.
  void describe(job& j);
  void describe(job& j, const context* ctx, job_options&& options);
  void close();
  /// Waits until nothing is left to do; in a job, but for what waits in here itself.
  [[nodiscard]] bool wait(const context* until);
  [[nodiscard]] unrun_jobs stop(std::exception_ptr cause);
  /// Waits for the end of every worker.
  void join();
  /// As the process ends, after its runtime, or in a forked child: what it still has to do nobody
  /// will ever do.
  [[nodiscard]] bool has_lost_its_workers() noexcept;
  [[nodiscard]] bool has_lost_its_runtime() noexcept { return where_.is_lost(); }
  /// What is cancelled, too, and first, when its runtime ends before it.
  void cancel_too(cancel_func also);
  void resize(worker_count n);
  void pause();
  void resume(bool for_good = false);

  [[nodiscard]] pool_stats stats();
  [[nodiscard]] pool_timings timings();
  [[nodiscard]] pool_report report();
  [[nodiscard]] std::size_t memory_bound();
  [[nodiscard]] const context& ctx() const noexcept { return ctx_; }
  [[nodiscard]] const pool_options& options() const noexcept { return options_; }
  [[nodiscard]] int target();

 private:
  /// What a callback that may come late holds, for a reference would keep the pool alive.
  class weak_link {
   public:
    explicit weak_link(pool_core* core) : core_(core) {}
    [[nodiscard]] ref<pool_core> core() {
      const std::lock_guard lock(lock_);
      const bool alive = core_ != nullptr && core_->try_retain();
      return alive ? ref<pool_core>::adopt(core_) : ref<pool_core>();
    }
    void cut() {
      const std::lock_guard lock(lock_);
      core_ = nullptr;
    }

   private:
    spin_lock lock_;  // guards core_
    pool_core* core_;
  };
  /// What is left to do when the lock is dropped.
  struct todo {
    int start_worker = 0;  // its number, or 0: none; it is counted already
    bool watch = false;    // the watchdog and the brake: look again later
    explicit operator bool() const noexcept { return start_worker != 0 || watch; }
  };
  /// Why who waited for room gets none: its node's weight.
  enum refusal : std::int64_t { refused_cancelled, refused_closed };
  struct hand {  // what an idle worker waits with: its node's value
    pool_worker* worker;
    job* given = nullptr;
  };
  pool_core(cancellable_context own, pool_options options, make_state make);
  ~pool_core() override;
  void runtime_ended() noexcept override;

  // The queue, without what is in handfuls.
  void lock_queue() noexcept {
    lock_.lock();
    close_inbox();
  }
  // All of the pool.
  void lock() noexcept {
    lock_queue();
    take_back_all();
  }
  void unlock() noexcept {
    open_inbox();
    lock_.unlock();
  }
  friend class std::lock_guard<pool_core>;

  // All of these with the lock held.
  void close_inbox() noexcept;
  void open_inbox(bool for_the_first = false) noexcept;
  void take_back_all() noexcept {
    if (holders_ != nullptr) [[unlikely]]
      take_back_handfuls(handfuls_);
  }
  void take_back_handfuls(std::uint64_t up_to) noexcept;
  void take_back(pool_worker& from) noexcept;
  void end_few(pool_worker& me) noexcept;
  [[nodiscard]] bool are_small(const carrier* c) const noexcept;
  [[nodiscard]] bool take_few(pool_worker& me, job& first) noexcept;
  [[nodiscard]] bool lets_others(pool_worker& me) const noexcept;
  void note_grain() noexcept;
  [[nodiscard]] bool may_start(const job& j) const noexcept;
  [[nodiscard]] bool at_rest() const noexcept { return nothing_queued() && running_count_ == 0; }
  [[nodiscard]] std::int64_t places_used() const noexcept {  // P7
    return depth_ + in_handfuls_ + retrying_count_;
  }
  [[nodiscard]] bool is_affordable(const job& j) const noexcept;
  [[nodiscard]] bool has_room(const job& j) const noexcept;
  [[nodiscard]] bool nothing_queued() const noexcept { return depth_ == 0 && retrying_count_ == 0; }
  [[nodiscard]] bool drained() const noexcept;
  [[nodiscard]] bool is_over() const noexcept { return drained() && running_count_ == 0; }
  [[nodiscard]] bool concerns_nobody() const noexcept;
  /// P1: a worker is on its way, and nobody is refused meanwhile.
  [[nodiscard]] bool one_is_enough() const noexcept;
  [[nodiscard]] bool all_ended() const noexcept {
    return ended_ == last_number_ && registering_ == 0 && reporter_ == nullptr;
  }
  void enqueue(job& j) noexcept;
  void unqueue(job& j) noexcept;
  void leave_retrying(job& j) noexcept;
  void take_out(job& j) noexcept;
  [[nodiscard]] job_list& queue_of(priority p) noexcept {
    return p == priority::normal ? normal_ : special_[p == priority::high ? 0 : 1];
  }
  [[nodiscard]] std::array<job_list*, 3> queues() noexcept {
    return {&special_[0], &normal_, &special_[1]};
  }
  [[nodiscard]] bool all_queued_are_normal() const noexcept {
    return special_[0].empty() && special_[1].empty();
  }
  void note_passed_over(std::size_t chosen) noexcept;
  [[nodiscard]] job* best() noexcept;
  [[nodiscard]] job* pick(pool_worker* by) noexcept;
  [[nodiscard]] job* pick_of_all(pool_worker* by) noexcept;
  [[nodiscard]] bool may_pick_at_once() const noexcept;
  /// `by` is null for whoever runs it outside of a worker's loop.
  void start(job& j, pool_worker* by) noexcept;
  /// What follows from a change: jobs to idle workers, room to submitters, news to who waits for
  /// the end.
  [[nodiscard]] todo settle(wake_batch& wakes) noexcept {
    return concerns_nobody() ? todo{} : settle_all(wakes);
  }
  [[nodiscard]] todo settle_all(wake_batch& wakes) noexcept;
  void admit_waiting(wake_batch& wakes) noexcept;
  static void wake_list(wait_list& list, wake_batch& wakes) noexcept;
  void retire(job& j, pool_worker* by, verdict v) noexcept;
  template <class F>
  void for_each_running(F f) const;
  [[nodiscard]] std::uint64_t done() const noexcept;
  void settle_finished(job& j, pool_worker* by, verdict v, wake_batch& wakes,
                       std::optional<channel<std::monostate>>& signal) noexcept;
  static void end_waits(wait_list& list, wake_batch& wakes, bool ended) noexcept;
  void end_all_waits(wake_batch& wakes) noexcept;
  void check_alive(const job& j, const job_frame* own);
  [[nodiscard]] job_list make_room(const job& j) noexcept;
  void put_down(const job_frame* own) noexcept;
  [[nodiscard]] job_list take_queued() noexcept;
  void refuse_waiting(wake_batch& wakes, refusal why) noexcept;
  [[nodiscard]] bool wait_for_end(wait_list& list, const context* until, bool& ended);
  [[nodiscard]] pool_stats stats_locked() noexcept;
  static void turn_away(job& j) noexcept;
  bool admit_watched(ref<job>& given, const context* until, bool may_wait);
  bool let_in(ref<job>& given, const context* until, bool may_wait);
  [[nodiscard]] bool come_in(ref<job>& given) noexcept;
  bool take_in(ref<job>& given, const context* until, bool may_wait);
  bool admit_when_full(ref<job>& given, const context* until, bool may_wait, job_frame* own);
  bool wait_for_room(ref<job>& given, const context* until);
  [[nodiscard]] bool may_hold_on(const context* until) const noexcept;
  void hold_on(const context* until) noexcept;
  void give_time(const context* until);
  [[nodiscard]] bool may_step_back() const noexcept;

  // Without the lock.
  void trace_submitted(job& j) const noexcept;
  [[nodiscard]] std::int64_t trace_started(const job& j, const pool_worker& worker) const noexcept;
  void trace_ended(const job& j, const pool_worker& worker, std::int64_t since,
                   verdict v) const noexcept;
  /// The end of a job that was never run.
  void trace_unrun(const job& j, job_end end) const noexcept;
  [[nodiscard]] bool has_brake() const noexcept {
    return options_.brake.min_available > 0 || options_.brake.max_pressure > 0;
  }
  void after_settling(wake_batch& wakes, todo rest) {
    wakes.wake_all();
    if (rest) do_rest(rest);
  }
  void do_rest(todo rest);
  void start_worker(int number);
  void join_ended_threads();
  void be_worker(int number);
  void work(pool_worker& me, std::exception_ptr failure);
  [[nodiscard]] bool is_next_in_need() const noexcept;
  void learn_gap(time_ns since) noexcept;
  [[nodiscard]] bool may_look_out() noexcept;
  void look_out() noexcept;
  [[nodiscard]] job* next_job(pool_worker& me, job* finished, verdict v, bool first);
  [[nodiscard]] job* next_of_all(pool_worker& me, job* finished, verdict v, bool first);
  [[nodiscard]] job* next_of_few(pool_worker& me, job*& finished) noexcept;
  [[nodiscard]] job* next_at_once(pool_worker& me, job*& finished);
  void recall_later() noexcept;
  void recall() noexcept;
  void begin_after_wait(time_ns idle_since);
  void after_trouble(job& j, verdict v);
  void hand_in_end(job& j, verdict v);
  void hand_in(job& j, pool_worker* by, verdict v);
  void run_and_hand_in(job& j, pool_worker* worker);
  [[nodiscard]] verdict run(job& j, pool_worker* worker);
  [[nodiscard]] verdict run_plainly(job& j, pool_worker& worker);
  [[nodiscard]] verdict run_with_all(job& j, job_frame& frame);
  [[nodiscard]] verdict run_attempt(job& j, job_frame& frame);
  [[nodiscard]] verdict judge(job& j, std::exception_ptr error, const context& own);
  [[nodiscard]] verdict judge_unstarted(job& j, const context& why);
  [[nodiscard]] bool wants_retry(job& j, const std::exception_ptr& error);
  void run_here(job& j, job_frame* own);
  void try_later(job& j);
  [[nodiscard]] std::error_code no_next_attempt(const job& j);
  void try_again(job& j);
  void watch_later() noexcept;
  void adapt() noexcept;
  void begin_to_adapt(worker_count n) noexcept;
  void watch() noexcept;
  [[nodiscard]] bool short_of_memory() const;
  void report_stuck(const std::string& name, std::chrono::nanoseconds age) noexcept;
  void fail_all(const std::exception_ptr& cause);
  void cancel_all(std::error_code why);
  [[nodiscard]] bool cancel_next(const std::exception_ptr& error);
  void end_unrun(job& j, std::exception_ptr error);
  void report_uncaught(const char* what, const std::string* name,
                       const std::exception_ptr& error) noexcept;
  [[nodiscard]] std::int64_t mark_waiting(job_frame* own);
  void unmark_waiting(job_frame* own, std::int64_t count);
  [[nodiscard]] std::string with_cause(const char* where) const;
  [[noreturn]] void throw_ended() const;
  [[nodiscard]] std::list<std::thread> take_threads() noexcept;
  [[nodiscard]] bool reporter_here() noexcept;
  void drop_functions() noexcept;
  [[nodiscard]] bool ends_in_time() noexcept;
  void note_extras(const job_extras& extras) noexcept;
  void stay_if_let_go() noexcept;
  void wait_for_unrun() noexcept;
  /// Where its timers are: of its runtime, whose clock it goes by; threads may outlive that.
  [[nodiscard]] runtime_core& timekeeper() const {
    const bool may_outlive = options_.host == host::threads && !where_.clock.is_virtual();
    return may_outlive || where_.stopping() ? runtime_core::default_core() : where_;
  }
  [[nodiscard]] std::exception_ptr unrun_error(std::error_code why) const noexcept;
  void give_up(job_list& jobs, std::error_code why) const noexcept;
  [[nodiscard]] job_frame* frame_here() const noexcept;
  [[nodiscard]] std::int64_t now() const noexcept;

  pool_options options_;
  make_state make_state_;
  runtime_core& where_;                             // whose tasks the workers are…
  const std::shared_ptr<runtime_core> where_kept_;  // …which its owner may end before the pool
  // Nothing in the options concerns each job: no tracer, no rate, no timeout.
  const bool plain_runs_ = !options_.tracer && !options_.rate && options_.timeout.count() == 0;
  const bool coarse_ages_;   // jobs' ages need not be exact
  const bool may_take_few_;  // at once, of small jobs: nothing is to be done for each of them
  const std::int64_t low_ = options_.queue / 8;  // jobs in a queue that is
  const context ctx_;
  const cancel_func cancel_;
  const std::shared_ptr<weak_link> link_;
  after_func_handle on_done_;

  alignas(64) job_inbox inbox_;
  // In the order of use, not of ideas. First what each job changes, in one cache line, which
  // travels between the processors.
  alignas(128) spin_lock lock_;     // guards everything below
  relaxed<std::int64_t> depth_{0};  // in the queues
  std::int32_t running_count_ = 0;
  std::uint32_t operations_ = 0;    // since the scheduler last looked: how fine the work's grain is
  job_list normal_;                 // the queue of most; with its head ends the first line
  std::int32_t hands_ = 1;          // that were at work when the last job started
  bool small_ = true;               // the jobs are, as the last worker saw it
  pool_worker* holders_ = nullptr;  // whose handful may be open
  relaxed<std::int64_t> in_handfuls_{0};  // jobs that were not the first of theirs
  std::uint64_t handfuls_ = 0;            // so far
  handful_trust trust_;
  // Then what each job looks at, and few change: it stays where it is read.
  alignas(128) relaxed<bool> closed_{false};
  bool stopped_ = false;  // no job is tried again
  bool paused_ = false;
  bool never_pauses_ = false;  // its destructor waits for the end
  bool held_ = false;          // by the brake: one job at a time
  bool watched_ = false;       // by watchdog, brake or sizing: watch() has something to look at
  bool watching_ = false;
  bool recalling_ = false;  // recall() is to come
  std::int64_t idle_count_ = 0;
  std::int64_t waking_ = 0;    // workers that were given a job and have not begun with it, or that
                               // look out for one
  std::int64_t starting_ = 0;  // workers that have been started and not asked for a job yet
  std::int64_t workers_ = 0;
  std::int64_t target_;
  relaxed<std::int64_t> retrying_count_{0};  // in retrying_
  std::int64_t waiting_submitters_ = 0;
  std::array<job_list, 2> special_;  // the queues of the priorities high and low
  wait_list idle_;
  wait_list submitters_;
  wait_list enders_;         // wait(), from outside
  wait_list inner_enders_;   // and from inside
  std::int64_t inside_ = 0;  // jobs that wait in wait() for the others
  std::array<int, 3> passed_over_{};
  cost running_cost_;
  // The rest.
  std::uint64_t submitted_ = 0;
  std::uint64_t done_ = 0;  // by those that are not in crew_
  pool_stats stats_;        // but for what has been counted above, and what stats() finds out
  // Whether it pays to spin for the next job, and for room, before sleeping; or to sleep first.
  reluctance to_look_out_{6};
  reluctance to_hold_on_{6};
  room_forecast room_;
  idle_gaps gaps_;
  std::uint64_t seen_ = 0;  // handfuls_ at the last recall()
  pool_worker* crew_ = nullptr;
  job_list running_;  // outside of a worker's loop
  cost queued_cost_;
  job_list retrying_;
  wait_list joiners_;                      // join()
  int last_number_ = 0;                    // of the workers that were, or are being, started…
  int ended_ = 0;                          // …and of those that have ended
  int registering_ = 0;                    // threads that are not in threads_ yet
  const void* reporter_ = nullptr;         // the strand that is in on_stuck, by its strand_local()
  ref<shared_object> watch_timer_;         // its function is watch()
  bool watch_is_refused_ = false;          // there was no memory for it, and no job has come since
  relaxed<std::size_t> extras_memory_{0};  // the most that one job has needed beside its block
  relaxed<bool> lost_{false};              // its runtime has ended; read also without the lock
  std::optional<cancel_func> cancel_too_;
  bool let_go_ = false;  // the process ends, without its threads
  // With adaptive: since when, by which clocks, and with what, its next sample is measured.
  std::optional<sizing> sizing_;
  std::int64_t most_workers_ = 0;  // that there may be by what was asked for last
  std::int64_t sample_since_ = 0;
  std::int64_t sample_cpu_ = 0;
  std::uint64_t sample_ended_ = 0;
  bool sample_backlog_ = false;
  std::unique_ptr<pool_timings> timings_;  // with .timings
  std::list<std::thread> threads_;
  std::list<std::thread> ended_threads_;  // that were of them, and are not joined yet
};

}  // namespace weir::detail
