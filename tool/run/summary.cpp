// SPDX-License-Identifier: MIT
#include "run/summary.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <fstream>

namespace weir::tool {
namespace {

/// The most memory this program has had. getrusage() would count what ran in this process before
/// execve(), too, and serves only where /proc is missing.
std::uint64_t peak_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::uint64_t kib = 0;
    if (word == "VmHWM:" && status >> kib) return kib;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss);
}

}  // namespace

std::string stopwatch::summary(std::uint64_t jobs, std::uint64_t failed) const {
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start_;
  const double seconds = passed.count();
  const double rate = seconds > 0 ? static_cast<double>(jobs) / seconds : 0;
  return fmt::format("weir: {} jobs, {} failed, {:.2f} s, {:.0f} jobs/s, peak {} KiB\n", jobs,
                     failed, seconds, rate, peak_kib());
}

}  // namespace weir::tool
