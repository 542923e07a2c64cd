// SPDX-License-Identifier: MIT
#pragma once
// How many CPUs this process may really use.

#include <string>

namespace weir::port {

/// The CPUs of the affinity mask, limited by the CPU quota of the process's cgroup and its
/// ancestors (v2 cpu.max, v1 cpu.cfs_quota_us), rounded up; never less than 1.
[[nodiscard]] int usable_cpus();

/// The quota alone, read below `root` (for tests: a made-up tree; else ""): how many CPUs, rounded
/// up, or 0 if there is no limit. Reads root/proc/self/cgroup, root/proc/self/mountinfo and what
/// they name.
[[nodiscard]] int cgroup_cpu_limit(const std::string& root);

}  // namespace weir::port
