// SPDX-License-Identifier: MIT
#pragma once
// Where the limits of this process's cgroup are written.

#include <string>
#include <vector>

namespace weir::port {

struct cgroup_directory {
  std::string path;
  bool v2 = false;
};

/// The directories of our group and of all that it is in, for one controller ("cpu", "memory"), the
/// innermost first; of v1 and v2 where both are mounted. Reads root/proc/self/cgroup and
/// root/proc/self/mountinfo (root is "" but for tests). Empty where there are no cgroups.
[[nodiscard]] std::vector<cgroup_directory> cgroup_directories(const std::string& root,
                                                               const std::string& name);

}  // namespace weir::port
