// SPDX-License-Identifier: MIT
#include "port/cpus.hpp"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <thread>

namespace weir::port {
namespace {

struct controller {
  bool v2 = false;
  std::string mount;       // where the hierarchy is mounted
  std::string mount_root;  // which of its groups is mounted there
  std::string group;       // ours
};

bool has_word(const std::string& list, const std::string& word, char separator) {
  std::istringstream in(list);
  for (std::string item; std::getline(in, item, separator);) {
    if (item == word) return true;
  }
  return false;
}

/// Lines are `id:controllers:path`; v2 has id 0 and no controllers.
void read_groups(const std::string& root, controller& v1, controller& v2) {
  std::ifstream in(root + "/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) v2.group = path;
    if (has_word(controllers, "cpu", ',')) v1.group = path;
  }
}

/// Fields before " - ": id parent dev root mount-point …; after it: type source super-options.
void read_mounts(const std::string& root, controller& v1, controller& v2) {
  std::ifstream in(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(in, line);) {
    const auto dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line.substr(0, dash));
    std::istringstream behind(line.substr(dash + 3));
    std::string id, parent, device, mount_root, mount, type, source, options;
    before >> id >> parent >> device >> mount_root >> mount;
    behind >> type >> source >> options;
    if (type == "cgroup2") {
      v2.mount = mount;
      v2.mount_root = mount_root;
    } else if (type == "cgroup" && has_word(options, "cpu", ',')) {
      v1.mount = mount;
      v1.mount_root = mount_root;
    }
  }
}

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

/// The tightest limit of our group and all that it is in; 0 for none.
double tightest(const std::string& root, const controller& c) {
  if (c.mount.empty() || c.group.empty()) return 0;
  std::string below = c.group;  // what of our group's path lies below the mount point
  if (c.mount_root != "/" && below.starts_with(c.mount_root)) {
    below = below.substr(c.mount_root.size());
  }
  if (below.empty() || below.front() != '/') below.insert(below.begin(), '/');
  double limit = 0;
  for (;;) {
    const double own = group_limit(root + c.mount + below, c.v2);
    if (own > 0) limit = limit > 0 ? std::min(limit, own) : own;
    if (below == "/") return limit;
    below.resize(std::max<std::size_t>(below.rfind('/'), 1));  // its parent; at last "/"
  }
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
  controller v1;
  controller v2;
  v2.v2 = true;
  read_groups(root, v1, v2);
  read_mounts(root, v1, v2);
  const double a = tightest(root, v1);
  const double b = tightest(root, v2);
  const double limit = a > 0 && b > 0 ? std::min(a, b) : std::max(a, b);
  // Rounded up: a quota of 1.5 CPUs keeps two carriers busy for most of each period.
  return limit > 0 ? static_cast<int>(std::ceil(std::min(limit, 1e6))) : 0;
}

int usable_cpus() {
  const int affinity = affinity_cpus();
  const int quota = cgroup_cpu_limit("");
  return std::max(1, quota > 0 ? std::min(affinity, quota) : affinity);
}

}  // namespace weir::port
