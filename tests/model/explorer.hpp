// SPDX-License-Identifier: MIT
#pragma once
// The part of the model checker that decides who goes on (see weak_memory.hpp, which says what a
// step does): virtual threads, each on a stack of its own, and the list of decisions that makes a
// run. Depth first: the next run changes the last decision that can be changed.
//
// Sleep sets (Godefroid, "Partial-order methods for the verification of concurrent systems", 1996)
// leave out runs that differ only in the order of steps that do not concern each other.

#include <algorithm>
#include <boost/context/detail/fcontext.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "weir/detail/sanitizers.hpp"

#if defined(WEIR_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace weak_memory {

namespace fiber = boost::context::detail;

enum class access : std::uint8_t { none, load, store, rmw, cas_failure, barrier, wait, wake, spin };

inline constexpr int nobody = -1;   // as a thread: the explorer itself
inline constexpr int nowhere = -1;  // as a location

/// What a thread does next, as far as others may notice.
struct step {
  access kind = access::none;
  int location = nowhere;
  bool sc = false;
  int target = nobody;      // of a barrier: whose
  unsigned newer_than = 0;  // of a spin: what was read
};

struct result {
  std::string failure;  // empty: there is none
  std::string story;    // the steps of the run that failed
  std::uint64_t runs = 0;
};

class explorer {
 public:
  explorer() = default;
  explorer(const explorer&) = delete;
  explorer& operator=(const explorer&) = delete;

  [[nodiscard]] int running() const { return running_; }
  /// Ends the run; on a thread it does not return.
  void fail(const char* what) {
    if (found_.failure.empty()) found_.failure = what;
    if (running_ != nobody) leave_for(nobody);
  }

 protected:
  ~explorer() = default;

  /// The number of the newest store to a location.
  [[nodiscard]] virtual unsigned latest(int at) const = 0;

  /// Called by a thread before each step: returns when it is its turn.
  void reach(const step& next) {
    if (running_ == nobody) return;
    if (log_.size() >= max_steps) fail("a run without end");
    self().next = next;
    const int me = running_;
    const int chosen = schedule();
    if (chosen != me) leave_for(chosen);
    log_.push_back({.thread = me, .what = next, .value = 0});
  }
  void note_value(std::uint64_t value) { log_.back().value = value; }
  /// Which of so many values to read.
  unsigned choose(unsigned options) {
    if (options == 1 || running_ == nobody) return 0;
    if (depth_ == decisions_.size()) {
      decisions_.push_back({.chosen = 0, .options = options, .enabled = 0, .tried = 0});
    }
    return decisions_[depth_++].chosen;
  }
  void sleep_on(int at) {
    self().asleep_on = at;
    reach({});
  }
  /// The thread that has slept there, and does not any more; nobody if there was none.
  int wake_one(int at) {
    for (int t = 0; t < threads_; ++t) {
      if (thread(t).asleep_on != at) continue;
      thread(t).asleep_on = nowhere;
      return t;
    }
    return nobody;
  }
  [[nodiscard]] int threads() const { return threads_; }

  // ---- the runs, for whoever makes a scenario for each

  void forget_runs() {
    found_ = {};
    decisions_.clear();
  }
  void begin(int threads) {
    threads_ = threads;
    running_ = nobody;
    depth_ = 0;
    tried_ = 0;
    log_.clear();
    all_.resize(static_cast<std::size_t>(threads));
    for (std::size_t i = 0; i < all_.size(); ++i) {
      virtual_thread& t = all_[i];
      std::vector<std::byte> stack = std::move(t.stack);
      stack.resize(stack_size);
      t = {};
      t.stack = std::move(stack);
#if defined(WEIR_ASAN)
      // The last run may have been left in the middle, with its red zones in place.
      __asan_unpoison_memory_region(t.stack.data(), stack_size);
#endif
      t.context = fiber::make_fcontext(t.stack.data() + stack_size, stack_size, thread_main);
    }
  }
  /// Until the run is over; true if all threads have ended.
  bool run(void* scenario, void (*body)(void*, int)) {
    scenario_ = scenario;
    body_ = body;
    leave_for(schedule());
    return found_.failure.empty() && ended() == threads_;
  }
  /// Changes the last decision that can be changed; false if all has been seen, or one has failed.
  bool next_run() {
    found_.runs += 1;
    if (found_.runs == max_runs) fail("too large to explore");
    if (!found_.failure.empty()) return false;
    for (; !decisions_.empty(); decisions_.pop_back()) {
      decision& d = decisions_.back();
      if (d.enabled == 0) {
        if (++d.chosen < d.options) return true;
        continue;
      }
      d.tried |= 1U << d.chosen;
      if (const unsigned left = d.enabled & ~d.tried; left != 0) {
        d.chosen = lowest(left);
        return true;
      }
    }
    return false;
  }
  [[nodiscard]] result outcome() const {
    result r = found_;
    if (!r.failure.empty()) r.story = story();
    return r;
  }

 private:
  static constexpr std::size_t max_steps = 200;
  static constexpr std::uint64_t max_runs = 3'000'000;
  static constexpr std::size_t stack_size = 128UL * 1024;

  struct virtual_thread {
    step next;
    bool ended = false;
    int asleep_on = nowhere;
    fiber::fcontext_t context = nullptr;
    std::vector<std::byte> stack;
  };
  /// Of a value to read, if `enabled` is 0: which of `options`. Else of a thread.
  struct decision {
    unsigned chosen;
    unsigned options;
    unsigned enabled;
    unsigned tried;  // threads whose next step has been tried before, in an equivalent run
  };
  struct log_entry {
    int thread;
    step what;
    std::uint64_t value;
  };

  static unsigned bit(int t) { return 1U << static_cast<unsigned>(t); }
  static unsigned lowest(unsigned set) { return static_cast<unsigned>(__builtin_ctz(set)); }
  virtual_thread& thread(int t) { return all_[static_cast<std::size_t>(t)]; }
  virtual_thread& self() { return thread(running_); }

  [[nodiscard]] bool can_go_on(int t) {
    const virtual_thread& v = thread(t);
    return !v.ended && v.asleep_on == nowhere &&
           (v.next.kind != access::spin || latest(v.next.location) > v.next.newer_than);
  }
  [[nodiscard]] int ended() const {
    return static_cast<int>(
        std::count_if(all_.begin(), all_.end(), [](const virtual_thread& t) { return t.ended; }));
  }

  /// Whether the order of two threads' next steps could make a difference.
  static bool concern_each_other(int a_thread, const step& a, int b_thread, const step& b) {
    if (a.kind == access::barrier || b.kind == access::barrier) {
      return a.kind == b.kind || a.target == b_thread || b.target == a_thread || a.sc || b.sc;
    }
    const auto only_reads = [](const step& s) {
      return s.kind == access::load || s.kind == access::spin;
    };
    return a.location == b.location && (!(only_reads(a) && only_reads(b)) || (a.sc && b.sc));
  }

  /// The thread whose step is next; nobody if the run is over.
  int schedule() {
    unsigned enabled = 0;
    for (int t = 0; t < threads_; ++t) {
      if (!can_go_on(t)) continue;
      if (thread(t).next.kind == access::none) return t;  // concerns nobody: no choice
      enabled |= bit(t);
    }
    if (enabled == 0) {
      if (ended() != threads_ && found_.failure.empty()) found_.failure = "lost wake-up: deadlock";
      return nobody;
    }
    if (depth_ == decisions_.size()) {
      const unsigned candidates = enabled & ~tried_;
      if (candidates == 0) return nobody;  // an equivalent run has been seen
      const unsigned chosen = running_ != nobody && (candidates & bit(running_)) != 0
                                  ? static_cast<unsigned>(running_)
                                  : lowest(candidates);
      decisions_.push_back({.chosen = chosen, .options = 0, .enabled = enabled, .tried = tried_});
    }
    const decision& d = decisions_[depth_++];
    const int chosen = static_cast<int>(d.chosen);
    tried_ = 0;
    for (int t = 0; t < threads_; ++t) {
      if ((d.tried & bit(t)) != 0 &&
          !concern_each_other(t, thread(t).next, chosen, thread(chosen).next)) {
        tried_ |= bit(t);
      }
    }
    return chosen;
  }

  // ---- switching. A thread that is left when its run is over never goes on: scenarios must have
  // no locals that need to be destroyed.

  void leave_for(int to) {
    fiber::fcontext_t& from = running_ == nobody ? explorer_ : self().context;
    left_ = &from;
    running_ = to;
    if (&from == (to == nobody ? &explorer_ : &self().context)) return;
    const fiber::transfer_t back =
        fiber::jump_fcontext(to == nobody ? explorer_ : self().context, this);
    *left_ = back.fctx;
  }
  static void thread_main(fiber::transfer_t from) {
    auto& e = *static_cast<explorer*>(from.data);
    *e.left_ = from.fctx;
    e.body_(e.scenario_, e.running_);
    e.self().ended = true;
    e.leave_for(e.schedule());
  }

  [[nodiscard]] std::string story() const {
    static constexpr const char* names[] = {"-",       "load", "store", "rmw", "cas",
                                            "barrier", "wait", "wake",  "spin"};
    std::string text;
    for (const log_entry& e : log_) {
      if (e.what.kind == access::none) continue;
      text += "thread " + std::to_string(e.thread) + ": " +
              names[static_cast<std::size_t>(e.what.kind)] + " location " +
              std::to_string(e.what.location) + ", value " + std::to_string(e.value) + '\n';
    }
    return text;
  }

  result found_;
  void (*body_)(void*, int) = nullptr;
  void* scenario_ = nullptr;

  std::vector<virtual_thread> all_;
  int threads_ = 0;
  int running_ = nobody;
  unsigned tried_ = 0;  // threads whose next step would lead to a run that is known
  fiber::fcontext_t explorer_ = nullptr;
  fiber::fcontext_t* left_ = nullptr;

  std::vector<decision> decisions_;
  std::size_t depth_ = 0;
  std::vector<log_entry> log_;
};

}  // namespace weak_memory
