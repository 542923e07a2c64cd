// SPDX-License-Identifier: MIT
#include "port/cpus.hpp"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <thread>

#include "port/cgroup.hpp"

namespace weir::port {
namespace {

/// CPUs that one group allows, 0 for no limit of its own.
double group_limit(const std::string& directory, bool v2) {
  double quota = 0;
  double period = 0;
  if (v2) {
    std::string word;
    std::ifstream in(directory + "/cpu.max");
    if (!(in >> word >> period) || word == "max") return 0;
    quota = std::strtod(word.c_str(), nullptr);
  } else {
    std::ifstream quota_in(directory + "/cpu.cfs_quota_us");
    std::ifstream period_in(directory + "/cpu.cfs_period_us");
    if (!(quota_in >> quota) || !(period_in >> period)) return 0;
  }
  return quota > 0 && period > 0 ? quota / period : 0;
}

int affinity_cpus() {
  // The kernel's mask may be larger than cpu_set_t: ask with more room until it fits.
  for (int cpus = 1024; cpus <= 1024 * 1024; cpus *= 4) {
    const std::size_t size = CPU_ALLOC_SIZE(cpus);
    cpu_set_t* set = CPU_ALLOC(cpus);
    if (set == nullptr) break;
    const bool ok = sched_getaffinity(0, size, set) == 0;
    const int n = ok ? CPU_COUNT_S(size, set) : 0;
    CPU_FREE(set);
    if (n > 0) return n;
  }
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

}  // namespace

int cgroup_cpu_limit(const std::string& root) {
  double limit = 0;
  for (const cgroup_directory& group : cgroup_directories(root, "cpu")) {
    const double own = group_limit(group.path, group.v2);
    if (own > 0) limit = limit > 0 ? std::min(limit, own) : own;
  }
  // Rounded up: a quota of 1.5 CPUs keeps two carriers busy for most of each period.
  return limit > 0 ? static_cast<int>(std::ceil(std::min(limit, 1e6))) : 0;
}

int usable_cpus() {
  const int affinity = affinity_cpus();
  const int quota = cgroup_cpu_limit("");
  return std::max(1, quota > 0 ? std::min(affinity, quota) : affinity);
}

}  // namespace weir::port
