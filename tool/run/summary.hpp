// SPDX-License-Identifier: MIT
#pragma once
// The figures of a run.

#include <chrono>
#include <cstdint>
#include <string>

namespace weir::tool {

/// Runs from its birth.
class stopwatch {
 public:
  /// "weir: N jobs, M failed, S s, R jobs/s, peak K KiB": the peak of this process's own memory.
  [[nodiscard]] std::string summary(std::uint64_t jobs, std::uint64_t failed) const;

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace weir::tool
