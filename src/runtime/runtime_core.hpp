// SPDX-License-Identifier: MIT
#pragma once
// What a runtime is made of: its carriers, stacks and timers, and who of the carriers is idle.
//
// The right to run is apart from the thread: at most `limit` carriers are meant to be active, and
// their threads are started when there is work for them. A thread that lends itself (run) counts.
//
// Idle carriers: one of them, the watcher, keeps the timers, and looks from time to time whether an
// active carrier is stuck with work behind it; the others sleep without a timeout. When none is
// active nobody watches, and nothing uses the CPU.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/carrier.hpp"
#include "runtime/clock.hpp"
#include "runtime/director.hpp"
#include "runtime/process.hpp"
#include "runtime/registry.hpp"
#include "runtime/resumer.hpp"
#include "runtime/stack_pool.hpp"
#include "runtime/timer_queue.hpp"
#include "weir/detail/waiter.hpp"
#include "weir/runtime.hpp"

namespace weir::detail {

/// What has to hear that a runtime has ended, or is about to, and its tasks with it.
class end_listener : public shared_object {
 private:
  friend class runtime_core;
  virtual void runtime_ended() noexcept = 0;
  end_listener* next_listener_ = nullptr;
  end_listener* prev_listener_ = nullptr;
  bool listens_ = false;
};

class runtime_core : public std::enable_shared_from_this<runtime_core> {
 public:
  static constexpr int carriers_max = 1024;  // and as many threads inside run() at once
  static constexpr int relief_max = 512;     // more carriers than the limit, while some are stuck

  /// Under a director, if there is one; the clock is a virtual one then.
  [[nodiscard]] static std::shared_ptr<runtime_core> make(const runtime_options& options,
                                                          director* directed_by = nullptr);
  explicit runtime_core(const runtime_options& options, director* directed_by = nullptr);
  ~runtime_core();

  /// The one that go() starts on first use; lives until the process ends.
  [[nodiscard]] static runtime_core& default_core();
  /// The current task's runtime; in a plain thread the default one.
  [[nodiscard]] static runtime_core& current();
  /// The same, or null if that would have to be started.
  [[nodiscard]] static runtime_core* current_if_started() noexcept;
  /// Lives until the process ends: nothing needs to keep it.
  [[nodiscard]] bool immortal() const noexcept { return immortal_; }

  /// Makes a task ready that a plain thread, or a task of another runtime, has woken or made.
  void inject(task* t);
  /// Sees that there is a carrier; throws if none can be started.
  void need_carrier();
  [[nodiscard]] task* new_task(std::string_view name, const body_ops& ops, void* callable);
  void start(task* t);

  // Idle carriers (idle.cpp).
  /// Somebody could take work: an idle carrier, or one that has not been started.
  [[nodiscard]] bool has_spare() const noexcept {
    // Ordering: relaxed; a hint. A spare that is missed looks again by itself.
    return spare_.load(std::memory_order_relaxed) > 0;
  }
  /// Work waits behind the task that runs: see that somebody watches it.
  void note_surplus() {
    // Ordering: relaxed; a hint that keeps the common case to one load; see arm_watch() for the
    // rest.
    if (!watch_armed_.load(std::memory_order_relaxed)) [[unlikely]]
      arm_watch();
  }
  /// Gives tasks to an idle carrier, `preferred` if that is idle, or a new one; false if there is
  /// none: then `tasks` is what is to be placed by the caller, see start_carrier(). `giver`, if
  /// any, will hear whether it paid.
  [[nodiscard]] bool give_to_idle(task_chain& tasks, carrier* preferred = nullptr,
                                  carrier* giver = nullptr);
  /// c has nothing more to do: did it pay that it was given a task, or gave one?
  void judge_gifts(carrier& c) noexcept;
  /// Nothing to do for c: looks everywhere, sleeps. Returns when there may be something.
  void idle(carrier& c, const std::atomic<bool>* until);
  /// A timer was added that is due before all others.
  void note_earlier_timer() noexcept;

  // The right to run (handoff.cpp).
  /// By the monitor: relieves carriers that are stuck. When to look again; not_now if nobody is
  /// active, or an idle carrier watches.
  enum class look_again : std::uint8_t { not_now, sometime, soon };
  [[nodiscard]] look_again look_after(time_ns now) noexcept;
  /// By a carrier that has lost its right: whether it has one again.
  [[nodiscard]] bool regain_right(carrier& c, bool lent) noexcept;
  /// By a carrier with nothing to do: whether there are more than the limit, and it is one less.
  [[nodiscard]] bool give_up_right(carrier& c) noexcept;
  /// Starts a carrier if there are tasks, or timers, and none: the system had no thread when there
  /// should have been one. False if it has none yet.
  bool keep_going() noexcept;

  // Threads.
  /// A plain thread that serves as a carrier until `done`.
  struct lending {
    std::atomic<bool> done{false};
    std::atomic<carrier*> by{nullptr};
  };
  enum class lent_how : std::uint8_t {
    until_the_end,
    not_at_all,  // on a virtual clock, which has one carrier: there is one already
    stopped,     // the runtime, before the end
  };
  /// Lends the calling plain thread until l.done; `first` is the task to begin with, which is gone
  /// if the thread is lent not at all.
  [[nodiscard]] lent_how lend_thread(lending& l, task* first);
  /// Under a director: the same, until the director says that it is over.
  void direct(task* first, const std::atomic<bool>& over);
  /// On a virtual clock: the time of the next timer comes. False: there is none, or it is the end.
  bool let_time_pass() noexcept;
  /// On a virtual clock, when every task waits: that, unless one waits for a blocking call. False:
  /// no time has passed.
  bool advance_virtual_clock() noexcept;
  /// By the task that the thread was lent for: its end. `l` may be gone when this returns.
  static void end_lending(lending& l) noexcept;

  // For the deadlock check.
  /// Adds its sleeping threads, its waiting tasks, and counts of what has happened so far;
  /// `may_go_on` becomes true if a timer or a call will end, or there is work.
  void describe_rest(long& sleeping_threads, std::uint64_t& waiting, std::uint64_t& happened,
                     bool& may_go_on);

  // Life.
  /// Tasks that have started and not ended; exact when it returns 0.
  [[nodiscard]] std::uint64_t live_tasks() const noexcept;
  [[nodiscard]] bool stopping() const noexcept {
    // Ordering: acquire; pairs with stop(): carriers see why.
    return stop_.load(std::memory_order_acquire);
  }
  /// In a forked child, whose carriers are in the parent: nothing runs any more. Takes no lock.
  void stop_in_child() noexcept {
    // Ordering: relaxed; a forked child has one thread.
    stop_.store(true, std::memory_order_relaxed);
  }
  /// No carrier takes up another task; they end as soon as they notice.
  void stop() noexcept;
  /// Once nothing of it runs any more, after stop(): tells those who wait for one of its tasks.
  void tell_callers_if_over() noexcept;
  /// By one who waits for a task of this runtime: `n` is claimed if that has not ended by then.
  /// False: it is too late, and n was not linked.
  [[nodiscard]] bool add_caller(wait_node& n) noexcept;
  void remove_caller(wait_node& n) noexcept;
  /// The same if there is no task, and none is being started by a timer.
  [[nodiscard]] bool stop_if_drained() noexcept;
  /// Waits until every carrier but this thread's has ended, or until `deadline`; whether they have.
  bool wait_for_carriers(std::chrono::steady_clock::time_point deadline) noexcept;
  /// After stop(): the same for calls in blocking().
  bool wait_for_calls(std::chrono::steady_clock::time_point deadline) noexcept;
  /// After stop(): joins the carriers, except this thread.
  void join() noexcept;
  /// Instead: lets them go. They end by themselves, if the tasks that they run ever do.
  void let_go() noexcept;
  /// Tasks have not ended and never will: stacks and this object stay for ever.
  void abandon() noexcept;
  /// For those that listen: it ends now. Once told, there is no more to hear.
  void tell_listeners() noexcept;
  /// False: they have been told, and this one will not be. To be removed before it goes.
  [[nodiscard]] bool add_listener(end_listener& l) noexcept;
  void remove_listener(end_listener& l) noexcept;
  /// None of its tasks runs any more, or ever will; waits for those that are about to come to rest,
  /// but not at the end of the process.
  [[nodiscard]] bool is_lost() noexcept;
  /// For who uses it longer than whoever made it may. Null: nothing needs to keep it.
  [[nodiscard]] std::shared_ptr<runtime_core> keep() {
    return immortal_ ? nullptr : shared_from_this();
  }
  /// This object stays for ever. Takes no lock: for a forked child, too.
  void stay() noexcept { self_ = shared_from_this(); }
  void task_finished() noexcept {
    // Ordering: relaxed; see begin_shutdown(), whose barrier makes this safe.
    if (closing_.load(std::memory_order_relaxed)) [[unlikely]]
      report_if_drained();
  }
  /// From now on only its own tasks start tasks, and the end of the last is reported.
  void begin_shutdown() noexcept;
  /// Throws errc::forked in a child of the process that made this.
  void check_fork() const;
  [[nodiscard]] unsigned generation() const noexcept { return generation_; }

  director* const directed_by;
  runtime_clock clock;
  stack_pool stacks;
  const ref<timer_queue> timers;
  resumer coroutines{*this};
  const int limit;
  const std::uint64_t seed;
  /// `count` numbers for tasks, which nobody else has: the first. Under a director every runtime
  /// counts for itself, from 1: the same decisions give the same run.
  [[nodiscard]] std::uint64_t take_ids(std::uint64_t count) noexcept {
    // Ordering: relaxed; only the numbers matter.
    return (directed_by != nullptr ? ids : ids_of_all).fetch_add(count, std::memory_order_relaxed);
  }
  static inline std::atomic<std::uint64_t> ids_of_all{1};
  std::atomic<std::uint64_t> ids{1};
  std::atomic<int> blocking_calls{0};  // in flight: a virtual clock must not run ahead of them
  std::atomic<int> calls_inside{0};    // of those, in the caller's function

  // For the registry.
  runtime_core* next = nullptr;
  runtime_core* prev = nullptr;

  // Who waits for the last task to end (sync/runtime.cpp).
  spin_lock drain_lock;  // guards drain_waiters
  wait_list drain_waiters;
  // Guards the step from no task at all to stop(): what a timer starts comes before that, and is
  // waited for, or not at all: sync/callback.hpp. (Whoever else starts one is a task, or refused.)
  spin_lock last_start;

 private:
  void report_if_drained() noexcept;
  void tell_drain_waiters() noexcept;
  [[nodiscard]] std::vector<std::thread> take_threads() noexcept;
  void arm_watch();
  [[nodiscard]] carrier* claim_idle(carrier* preferred) noexcept;
  /// Reserves a carrier for a new thread; null when the limit is reached, and `lender` is false.
  [[nodiscard]] carrier* reserve_carrier(bool lender);
  /// Takes c from its thread, which has served; gives what was left in its inbox and lane. In one
  /// step: whoever finds that it takes no mail any more finds that there may be another carrier.
  [[nodiscard]] task_chain release_carrier(carrier& c) noexcept;
  /// How the start of a carrier went. (not_wanted: there may not be one more, or it has stopped.)
  enum class start_result : std::uint8_t { started, not_wanted, no_more_threads, no_memory };
  [[nodiscard]] static bool failed(start_result r) noexcept {
    return r == start_result::no_more_threads || r == start_result::no_memory;
  }
  /// Starts the thread of a reserved carrier, which has mail already.
  [[nodiscard]] start_result start_thread(carrier& c) noexcept;
  void thread_main(carrier* c) noexcept;
  [[nodiscard]] carrier* wait_on_bench() noexcept;  // null: the runtime stops
  [[nodiscard]] bool take_from_bench(carrier& c);   // m_ is held
  void change_entitled(int change) noexcept;        // m_ is held
  [[nodiscard]] bool retake_right(carrier& c) noexcept;
  void relieve(carrier& stuck);
  void ask_monitor() noexcept;
  [[nodiscard]] bool any_active() const noexcept;
  [[nodiscard]] look_again look_at(carrier& c, time_ns now);
  /// One more, with these tasks. If there may not, or cannot, be one, `tasks` is what is to be
  /// placed by the caller, which may be less, or more, than before.
  [[nodiscard]] start_result start_carrier(task_chain& tasks) noexcept;
  [[nodiscard]] start_result try_to_start_carrier() noexcept;
  void inject_all(task_chain tasks);
  /// Tasks at rest go to any carrier, or wait for one.
  void settle(task_chain tasks) noexcept;
  /// The system has had no thread for a carrier a moment ago.
  [[nodiscard]] bool lacks_threads() const noexcept {
    // Ordering: relaxed; a hint that saves attempts that would fail again.
    return no_threads_until_.load(std::memory_order_relaxed) > steady_now();
  }
  void discard(task* t) noexcept;
  /// Throws errc::closed if it is too late.
  void count_from_outside();
  void uncount_from_outside() noexcept;
  void wait_for_the_end_of(lending& l);
  [[nodiscard]] bool closing() const noexcept {
    // Ordering: acquire; pairs with begin_shutdown().
    return closing_.load(std::memory_order_acquire);
  }
  [[nodiscard]] carrier* first_attached() const noexcept;
  [[nodiscard]] bool has_reason_to_leave(carrier& c, const std::atomic<bool>* until) const noexcept;
  [[nodiscard]] bool look_out(carrier& c, const std::atomic<bool>* until);
  void wait_for_work(carrier& c, const std::atomic<bool>* until);
  [[nodiscard]] bool become_watcher(carrier& c) noexcept;
  void resign_as_watcher(carrier& c) noexcept;
  [[nodiscard]] bool others_get_on(const carrier& me) const noexcept;
  void look_at_others(carrier& me) noexcept;
  [[nodiscard]] static bool computes(const carrier& c, std::uint64_t switches) noexcept;
  [[nodiscard]] bool raid_who_computes(carrier& thief);
  [[nodiscard]] bool raid_others(carrier& thief);
  [[nodiscard]] time_ns watch_until(carrier& watcher) noexcept;
  [[nodiscard]] bool others_active(const carrier& me) const noexcept;
  [[nodiscard]] int known_carriers() const noexcept {
    // Ordering: acquire; pairs with the release that publishes a new carrier.
    return carrier_count_.load(std::memory_order_acquire);
  }
  /// Null if there is none of that index.
  [[nodiscard]] carrier* known(int index) const noexcept;
  [[nodiscard]] carrier& at(int i) const noexcept {
    return *carriers_[static_cast<std::size_t>(i)];
  }
  void count_spare(int change) noexcept {
    // Ordering: seq_cst; an idle carrier counts itself before it looks for work a last time, a
    // carrier with a surplus looks at the count after it has queued it: one sees the other.
    spare_.fetch_add(change, std::memory_order_seq_cst);
  }

  const unsigned generation_;      // of the process: differs in a forked child
  bool immortal_ = false;          // constant after default_core() has published this
  std::mutex m_;                   // guards threads_, free_, attached_, and the making of carriers
  std::condition_variable ended_;  // a carrier has, or a call in blocking()
  std::vector<std::thread> threads_;
  std::vector<carrier*> free_;  // without a thread, for reuse
  int attached_ = 0;
  task_chain stranded_;  // ready, when there was no carrier; guarded by m_
  std::atomic<time_ns> no_threads_until_{0};
  std::atomic<int> entitled_{0};    // to run: attached, and have not lost that; written under m_
  std::condition_variable bench_;   // for threads without a carrier; with m_, as the next two
  std::vector<carrier*> assigned_;  // to threads on the bench, which have yet to take them
  std::size_t benched_ = 0;
  std::atomic<bool> monitored_{false};
  std::unique_ptr<std::unique_ptr<carrier>[]> carriers_;  // never removed while this lives
  std::atomic<int> carrier_count_{0};
  std::atomic<int> spare_;
  std::atomic<carrier*> watcher_{nullptr};
  std::atomic<bool> watch_armed_{false};
  std::mutex raid_m_;  // keeps outsiders of the lanes' gates apart; guards what the watcher sees
  std::uint32_t watch_round_ = 0;  // since something was found; guarded by raid_m_
  spin_lock callers_lock_;         // guards the next two
  wait_list callers_;  // of run(), in tasks of other runtimes and on threads that are not lent
  bool callers_told_ = false;
  spin_lock listeners_lock_;  // guards the next two
  end_listener* listeners_ = nullptr;
  bool listeners_told_ = false;
  std::atomic<std::uint64_t> started_outside_{0};
  std::atomic<bool> closing_{false};
  std::atomic<bool> stop_{false};
  std::shared_ptr<runtime_core> self_;  // when abandoned
};

template <class F>
void registry::for_each_runtime(F f, kept_runtimes&& room) {
  {
    const std::lock_guard lock(m_);
    for (runtime_core* core = runtimes_; core != nullptr; core = core->next) {
      if (auto keep = core->weak_from_this().lock()) room.push_back(std::move(keep));
    }
  }
  for (const auto& core : room) f(*core);
  room.clear();  // without the lock: one of them may end here
}

}  // namespace weir::detail
