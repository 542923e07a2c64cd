// SPDX-License-Identifier: MIT
#pragma once
// How many workers: the rule, apart from the pool, so that it can be tried on simulated work.
//
// More workers pay as long as workers wait for something else than the CPU. So while jobs are
// queued and the process leaves CPU time unused, the count grows, by what is unused, at most
// doubling; if throughput does not follow, it goes back, and the next try comes later each time.
// (Goetz's workers = CPUs x (1 + wait / compute), found by feedback, and with throughput as the
// judge, since something other than the CPU may be what is short: Hellerstein et al., "Applying
// Control Theory in the Real World", and .NET's pool.) When the CPU is busy, or nothing is queued,
// it stays: more would not help, and fewer would save only memory.

#include <cstdint>

namespace weir::detail {

/// What was seen since the last decision.
struct sizing_sample {
  double seconds = 0;
  std::int64_t completed = 0;
  double cpu_share = 0;  // of the CPUs that we may use, by this process: 0 to 1
  bool backlog = false;  // were jobs queued at its beginning and its end?
};

class sizing {
 public:
  sizing(std::int64_t least, std::int64_t most, std::int64_t first) noexcept
      : least_(least), most_(most), count_(first) {}

  [[nodiscard]] std::int64_t count() const noexcept { return count_; }
  /// Is the sample long enough to be judged? Else go on measuring.
  [[nodiscard]] bool enough(const sizing_sample& s) const noexcept;
  /// The count from now on.
  std::int64_t decide(const sizing_sample& s) noexcept;

 private:
  std::int64_t grown(double cpu_share) const noexcept;

  std::int64_t least_;
  std::int64_t most_;
  std::int64_t count_;
  std::int64_t before_ = 0;  // the trial's: what it grew from; 0: no trial is on
  double rate_before_ = 0;   // and the throughput that it had
  bool settling_ = false;    // the first window after a change still has jobs of before
  int patience_ = 0;         // windows until the next trial
  int last_patience_ = 0;    // doubles with each that did not pay
  double rate_at_rest_ = 0;  // of the trial that failed: another one now is another phase
};

}  // namespace weir::detail
