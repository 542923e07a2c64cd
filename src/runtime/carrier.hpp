// SPDX-License-Identifier: MIT
#pragma once
// A carrier: an OS thread that runs tasks, one at a time, and switches between them.
//
// A task that waits picks the next one itself and jumps to it: one switch, not two. Every so often,
// and when there is nothing at hand, it jumps to the base instead, the thread's own stack, where
// the carrier looks further: its inbox, the timers, other carriers, and at last sleep.
//
// A switch leaves something to do to the one who arrives, since only then is the stack that was
// left at rest: mark its task parked, put it back into the lane, or recycle it (arrive()).
//
// Locality first: what a task wakes runs next on the same carrier. Only if the work is coarse
// (grain.hpp), or if this carrier is stuck in one task (watch.hpp), does work move to an idle one.

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "runtime/clock.hpp"
#include "runtime/current.hpp"
#include "runtime/gift_record.hpp"
#include "runtime/grain.hpp"
#include "runtime/lane.hpp"
#include "runtime/raid_record.hpp"
#include "runtime/random.hpp"
#include "runtime/relaxed.hpp"
#include "runtime/reluctance.hpp"
#include "runtime/sanitizer.hpp"
#include "runtime/stack_pool.hpp"
#include "runtime/switch.hpp"
#include "runtime/task.hpp"
#include "runtime/timer_queue.hpp"

namespace weir::detail {

class runtime_core;

/// gettid(), without the system call.
[[nodiscard]] int this_thread_id() noexcept;

class carrier {
 public:
  carrier(runtime_core& rt, int index, std::uint64_t seed) noexcept;

  /// The carrier whose thread this is; null in a plain thread. Never keep it over a switch.
  [[nodiscard]] static carrier* current() noexcept { return this_carrier(); }
  /// The task that runs on this thread, or null: plain threads, and a carrier's base.
  [[nodiscard]] static task* current_task() noexcept {
    const carrier* c = current();
    return c != nullptr ? static_cast<task*>(c->running_) : nullptr;
  }

  // From a task on this carrier. Each returns when the task runs again, maybe on another carrier.
  void park_current(wait_reason why);
  void yield_current();
  /// Has woken one more of a crowd that waits to run: yields, if it was that one who woke them.
  void step_back();
  [[noreturn]] void finish_current();

  /// A task that does one piece of work after the other, without waiting in between, says so after
  /// each: it is not stuck, and how long they take tells whether the tasks behind it should go
  /// elsewhere. True: it has kept them, or the timers, waiting for long, and is to yield before it
  /// goes on.
  [[nodiscard]] bool count_piece() {
    if (directed_) return false;
    switches += 1;
    pieces_ += 1;
    return grain.count_switch() && end_window_of_pieces();
  }

  /// Under a director: another task may come in here.
  void interrupt_current(const char* before);

  /// Switches to tasks so far, without pieces.
  [[nodiscard]] std::uint64_t task_switches() const noexcept { return switches - pieces_; }

  // From a task, or the base, on this carrier.
  /// A task whose operation the caller has claimed becomes ready. (runtime/parking.hpp, also for
  /// `room`)
  void ready(task* t, std::size_t room = 0);
  /// A new task becomes ready; when very many are, they get to run first.
  void start(task* t);
  /// The same, and whoever calls goes on in any case.
  void enlist(task* t);
  [[nodiscard]] task* take_stack();

  // From anywhere.
  /// Puts a ready task into the inbox and wakes the carrier; false if it has no thread any more.
  [[nodiscard]] bool post(task* t);
  [[nodiscard]] bool post(task_chain tasks);
  /// Ends its sleep; false if it does not sleep.
  bool wake() noexcept;
  /// Takes from the inbox whatever is off its stack.
  [[nodiscard]] task_chain raid_mail();
  /// A hint.
  [[nodiscard]] bool has_mail() const noexcept { return mail_count_ != 0; }
  /// The truth, for one who has announced that it will sleep: either it sees the mail, or whoever
  /// posts later, under the same lock, sees the announcement.
  [[nodiscard]] std::uint32_t mail_for_sure() noexcept;
  /// From now on post() works; the thread that will serve() may still be on its way. It has these.
  void attach(task_chain first) noexcept;
  /// Gives what is in the lane, and its spare stacks to the runtime. By the thread that served.
  [[nodiscard]] task_chain clear() noexcept;
  /// From now on post() does not; adds what is left in the inbox to `left`.
  void detach(task_chain& left) noexcept;

  /// Serves as a carrier on the calling thread until `until` is true, the runtime stops, or, if
  /// `until` is null, it has no right to run any more.
  void serve(const std::atomic<bool>* until);
  /// Whether it sleeps: for the deadlock check, see there.
  [[nodiscard]] bool sleeps() const noexcept {
    // Ordering: relaxed; the caller compares counts before and after.
    return asleep_.load(std::memory_order_relaxed) != 0;
  }
  /// Comes to the base at the next switch.
  void call_to_base() noexcept { base_wanted_ = true; }

  runtime_core& rt;
  const int index;
  class lane lane;
  grain_meter grain;
  random_source random;
  raid_record raids;
  gift_record gifts;
  reluctance lookouts{6};               // when it becomes idle
  std::vector<std::uint64_t> glimpsed;  // each carrier's switches, when this one began to look out
  /// What the monitor saw of it when it last looked, and the watcher, under the runtime's raid_m_.
  struct last_look {
    std::uint64_t switches = 0;
    time_ns since = 0;
    bool attached = false;
  };
  last_look looked_at_by_monitor;
  std::uint64_t seen_by_watcher = 0;  // its switches
  // By their index: which carrier got the last gift, until it is known whether that paid, and whose
  // this one got; nobody: none.
  static constexpr int nobody = -1;
  relaxed<int> gift_to{nobody};
  relaxed<int> gift_from{nobody};
  relaxed<time_ns> gift_since{0};      // when that began to keep this one busy; 0: not yet
  relaxed<std::uint64_t> switches{0};  // for the watcher: does it get on?
  relaxed<std::uint64_t> started{0};   // tasks, by this carrier
  relaxed<std::uint64_t> finished{0};
  relaxed<std::uint64_t> rests{0};    // how often it has become idle
  relaxed<int> thread_id{0};          // gettid() of its thread
  relaxed<bool> lost_right{false};    // to run; written under the runtime's lock, see handoff.cpp
  std::atomic<bool> idle{false};      // looks for work or sleeps; see idle.cpp
  std::atomic<bool> attached{false};  // has a thread; written under mail_lock_

  [[nodiscard]] std::uint64_t new_id() noexcept;
  /// For select's choices.
  [[nodiscard]] std::uint32_t random_below(std::uint32_t n);

  /// A context that starts task_main() on t's stack below `top`.
  [[nodiscard]] static void* make_context(task& t, std::byte* top) noexcept;
  /// First code on a new task's stack.
  static void task_main(carrier* here, void* left_context) noexcept;

 private:
  friend class runtime_core;
  enum class leaving : std::uint8_t { nothing, parks, yields, ends };

  [[nodiscard]] exception_state& exceptions() const noexcept {
    return *static_cast<exception_state*>(exceptions_);
  }
  void switch_from_task(task* me, leaving how);
  void ready_apart(task* t);
  [[nodiscard]] bool has_crowd_for(std::size_t room) const noexcept;
  void enter_task(task* t);
  void run_next(task* t) noexcept;
  void jump(stack_shadow& own, void* target, stack_shadow& to, bool last);
  void arrive(void* left_context, stack_shadow& own) noexcept;
  void recycle(task* t) noexcept;
  [[nodiscard]] task* next_at_hand();
  [[nodiscard]] task* next_looking_up();
  [[nodiscard]] task* next_directed();
  [[nodiscard]] bool decide_interrupt(const char* before);
  void yield_interrupted();
  void fire_timers();
  void finish_timer(timer_entry::deferred& rest) noexcept;
  void end_window(std::int64_t own);
  [[nodiscard]] bool end_window_of_pieces();
  [[nodiscard]] bool was_preempted() noexcept;
  void take_mail();
  [[nodiscard]] bool share(task* t);

  relaxed<task*> running_{nullptr};
  relaxed<task*> left_{nullptr};  // by the last switch, for arrive()
  relaxed<leaving> left_how_{leaving::nothing};
  relaxed<void*> base_context_{nullptr};
  relaxed<bool> base_wanted_{false};
  const bool directed_;  // by rt's director
  relaxed<std::int64_t> until_base_{0};
  relaxed<std::uint64_t> pieces_{0};               // of `switches`, those that were none
  relaxed<std::uint64_t> last_left_{0};            // how many tasks had been left by then…
  relaxed<time_ns> kept_since_{0};                 // …when pieces began to follow each other
  relaxed<bool> left_one_out_{false};              // the last window was not measured
  relaxed<std::int64_t> preemptions_{0};           // of its thread, when it was last looked at
  relaxed<exception_state*> exceptions_{nullptr};  // of its thread; set by serve()
  relaxed<task*> forced_{nullptr};                 // by the director: runs at the next switch
  relaxed<std::uint32_t> crowd_{0};                // how often step_back() was called…
  relaxed<std::uint64_t> crowd_at_{0};             // …since `switches` was that
  relaxed<std::uint32_t> lazy_turns_{0};  // on a virtual clock: yields since anything else happened
  stack_shadow base_shadow_;
  stack_cache stacks_;
  relaxed<std::uint64_t> next_id_{0};  // ids are taken from the runtime in blocks
  relaxed<std::uint64_t> last_id_{0};

  spin_lock mail_lock_;  // guards mail_ and attached
  task_chain mail_;
  relaxed<std::uint32_t> mail_count_{0};
  std::atomic<std::uint32_t> asleep_{0};  // 1: the thread sleeps on it, or is about to
};

}  // namespace weir::detail
