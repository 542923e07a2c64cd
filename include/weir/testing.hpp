// SPDX-License-Identifier: MIT
#pragma once
// explore: runs concurrent code under many schedules, always the same ones, to find the one that
// breaks it; then says which, how to run it again, and the fewest preemptions that it takes.
//
//   weir::explore(1000, [] {
//     int n = 0;
//     weir::wait_group wg;
//     for (int i = 0; i < 2; ++i) wg.go([&] { int old = n; weir::yield(); n = old + 1; });
//     wg.wait();
//     weir::require(n == 2, "an update was lost");
//   });
//
// Each run is a deterministic runtime of its own: one carrier, a seed, and a virtual clock that
// moves when every task waits, so that sleeping costs nothing. `body` is its first task. At each
// operation of Weir's, and in the middle of them wherever no lock is held, the running task may be
// stopped and another go on; code in between runs as one piece (schedule_point() cuts it). What
// runs depends on the schedule alone, if the code asks nobody else: no plain threads, no time of
// its own, no addresses. blocking(f) calls f in place.
//
// A run fails if an exception leaves body or any task of it, if body returns false, if every task
// waits and no timer could wake one (a deadlock), if tasks are left when body has returned (they
// wait for ever, or are not over when time has gone on from timer to timer 10,000 times since), or
// if it does not end: see steps_max. explore() then prints a report to stderr and throws
// schedule_failure. With WEIR_REPLAY set to what the report says, explore() runs just that
// schedule.
//
// Random schedules follow the seed; explore_all() tries every one of up to a given number of
// preemptions instead (Musuvathi and Qadeer, "Iterative context bounding", 2007: most bugs need no
// more than two), which is feasible for small programs.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "go.hpp"

namespace weir {

struct explore_options {
  std::uint64_t seeds = 1000;      ///< how many schedules
  std::uint64_t first_seed = 1;    ///< and on from there
  bool leftovers_allowed = false;  ///< tasks that are left when body has returned are no failure;
                                   ///< their stacks stay: some 34 KiB for each such run
  bool time_may_pass = false;      ///< timers may also fire while tasks are ready, as they may when
                                   ///< the machine is slow
  /// Operations, switches and moves of the clock after which a run counts as endless.
  std::uint64_t steps_max = 1'000'000;
  /// Asked after each run, for test frameworks that do not throw: a text that is not empty says why
  /// that run failed.
  std::function<std::string()> verdict = {};
  bool quiet = false;  ///< no report on stderr: schedule_failure has it, too
};

struct explore_all_options {
  int preemptions = 2;                      ///< the most in one run
  std::uint64_t schedules_max = 1'000'000;  ///< gives up after so many: see exploration::complete
  bool leftovers_allowed = false;           ///< these: as above
  bool time_may_pass = false;
  std::uint64_t steps_max = 100'000;
  std::function<std::string()> verdict = {};
  bool quiet = false;
};

/// What was looked at, when nothing failed.
struct exploration {
  std::uint64_t schedules = 0;    ///< runs
  std::uint64_t distinct = 0;     ///< of which so many differed in at least one decision
  std::uint64_t decisions = 0;    ///< in all runs
  std::uint64_t fingerprint = 0;  ///< of all decisions: the same for the same seeds
  bool complete = false;          ///< explore_all(): there are no other schedules
};

/// A schedule under which body fails. what() is the report.
class schedule_failure : public std::runtime_error {
 public:
  schedule_failure(const std::string& report, std::string schedule, std::size_t preemptions,
                   std::exception_ptr cause)
      : std::runtime_error(report),
        schedule_(std::move(schedule)),
        preemptions_(preemptions),
        cause_(std::move(cause)) {}
  /// For replay(), and for WEIR_REPLAY.
  [[nodiscard]] const std::string& schedule() const noexcept { return schedule_; }
  /// How many preemptions are left of it after shrinking.
  [[nodiscard]] std::size_t preemptions() const noexcept { return preemptions_; }
  /// The exception that left body or a task; null if it failed otherwise.
  [[nodiscard]] const std::exception_ptr& cause() const noexcept { return cause_; }

 private:
  std::string schedule_;
  std::size_t preemptions_;
  std::exception_ptr cause_;
};

/// Throws std::runtime_error with `what` if `condition` is false.
void require(bool condition, std::string_view what);

/// In tests of code that also shares data without Weir's operations (atomics, say): others may come
/// in here. `before` says what follows, and must live as long as the program, as a literal does.
void schedule_point(const char* before = "schedule_point");

namespace detail {
exploration explore(const explore_options& options, thunk body, void* argument);
exploration explore_all(const explore_all_options& options, thunk body, void* argument);
void replay(std::string_view schedule, const explore_options& options, thunk body, void* argument);

template <class F>
thunk body_thunk(F&) {
  return [](void* f) {
    if constexpr (std::convertible_to<std::invoke_result_t<F&>, bool>) {
      require(static_cast<bool>((*static_cast<F*>(f))()), "the body returned false");
    } else {
      (void)(*static_cast<F*>(f))();
    }
  };
}
}  // namespace detail

/// Runs body under options.seeds schedules. Throws schedule_failure for the first that fails, and
/// std::invalid_argument for a WEIR_REPLAY that is none. Called from a task, that task waits; in a
/// body that is being explored it throws std::logic_error. What the verdict throws comes out, and
/// std::bad_alloc where there is no memory to go on.
template <std::invocable F>
exploration explore(const explore_options& options, F body) {
  detail::check_callable(body, "explore");
  return detail::explore(options, detail::body_thunk(body), &body);
}
template <std::invocable F>
exploration explore(std::uint64_t seeds, F body) {
  return explore(explore_options{.seeds = seeds}, std::move(body));
}

/// Runs body under every schedule of up to options.preemptions preemptions. Random choices of
/// select, and which of several ready tasks is next, are tried in every way, too. Fails for a body
/// that is found to differ from run to run.
template <std::invocable F>
exploration explore_all(const explore_all_options& options, F body) {
  detail::check_callable(body, "explore_all");
  return detail::explore_all(options, detail::body_thunk(body), &body);
}

/// Runs body once, under a schedule from a report. Throws what explore() would.
template <std::invocable F>
void replay(std::string_view schedule, F body, const explore_options& options = {}) {
  detail::check_callable(body, "replay");
  detail::replay(schedule, options, detail::body_thunk(body), &body);
}

}  // namespace weir
