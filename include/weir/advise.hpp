// SPDX-License-Identifier: MIT
#pragma once
// advise: is a pool worth it for these jobs, and of how many workers? Measured, not guessed.
//
//   std::vector<std::function<void()>> sample = some_of_my_jobs();
//   std::cout << weir::advise(sample).text();
//   // A job takes 1.9 us, all of it computing.
//   // In a loop: 1.9 us a job; a pool of 2: 1.1 us; a task each: 1.2 us.
//   // Use a pool of 2. …
//
// It runs the sample's jobs one after the other and takes their time and CPU time; then lets jobs
// that compute and wait for as long, but do nothing else, through a pool and through a task each.
// What jobs do to each other (memory bandwidth, locks, the other side of a connection) it can not
// see: measure your program, too.

#include <chrono>
#include <cstdint>
#include <functional>
#include <iterator>
#include <ranges>
#include <string>

#include "amount.hpp"

namespace weir {

/// How to run jobs.
enum class way {
  inline_loop,  ///< call them one after the other: anything else costs more than it gains
  pool,         ///< a pool
  task_each,    ///< a task for each: only if it is known how many there can be
};

struct advise_options {
  /// For how long to run sample jobs, at most (one is always run to its end), and to try each way.
  std::chrono::nanoseconds time = std::chrono::milliseconds(50);
  /// How many jobs can there be at once? No way is tried with more, and there are no more workers.
  /// 0: that is not known, so a task each is no answer.
  amount jobs = 0;
  /// The most workers to propose: what the other side can bear.
  amount workers = 256;
};

/// What advise() found. All times are means for one job.
struct advice {
  way best = way::inline_loop;
  int workers = 1;         ///< of the pool that was tried
  std::int64_t batch = 1;  ///< so many jobs made one let the pool work at 90 % of what is possible
  std::int64_t sampled = 0;                              ///< sample jobs that were run
  std::chrono::duration<double, std::nano> wall{0};      ///< of a sample job
  std::chrono::duration<double, std::nano> cpu{0};       ///< of a sample job
  std::chrono::duration<double, std::nano> in_loop{0};   ///< what a job takes so…
  std::chrono::duration<double, std::nano> in_pool{0};   ///< …and so…
  std::chrono::duration<double, std::nano> in_tasks{0};  ///< …and so
  /// A few lines of English.
  [[nodiscard]] std::string text() const;
};

namespace detail {
/// `run_next()` runs the next sample job; false: there is none.
[[nodiscard]] advice advise_core(const std::function<bool()>& run_next, const advise_options& o);
}  // namespace detail

/// Runs each job of the range once, in turn, until the time is over. What a job throws comes out of
/// here. Throws std::invalid_argument if there is no job or an option makes no sense.
template <std::ranges::input_range R>
  requires std::invocable<std::ranges::range_reference_t<R>>
[[nodiscard]] advice advise(R&& sample, const advise_options& o = {}) {
  auto at = std::ranges::begin(sample);
  const auto end = std::ranges::end(sample);
  return detail::advise_core(
      [&] {
        if (at == end) return false;
        (*at)();
        ++at;
        return true;
      },
      o);
}

/// Runs `job` again and again until the time is over.
template <std::invocable F>
[[nodiscard]] advice advise(F job, const advise_options& o = {}) {
  return detail::advise_core(
      [&] {
        job();
        return true;
      },
      o);
}

}  // namespace weir
