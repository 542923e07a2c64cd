// SPDX-License-Identifier: MIT
#include "port/cgroup.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace weir::port {
namespace {

struct controller {
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
void read_groups(const std::string& root, const std::string& name, controller& v1, controller& v2) {
  std::ifstream in(root + "/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) v2.group = path;
    if (has_word(controllers, name, ',')) v1.group = path;
  }
}

/// Fields before " - ": id parent dev root mount-point …; after it: type source super-options.
void read_mounts(const std::string& root, const std::string& name, controller& v1, controller& v2) {
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
    } else if (type == "cgroup" && has_word(options, name, ',')) {
      v1.mount = mount;
      v1.mount_root = mount_root;
    }
  }
}

void add_directories(const std::string& root, const controller& c, bool v2,
                     std::vector<cgroup_directory>& to) {
  if (c.mount.empty() || c.group.empty()) return;
  std::string below = c.group;  // what of our group's path lies below the mount point
  if (c.mount_root != "/" && below.starts_with(c.mount_root)) {
    below = below.substr(c.mount_root.size());
  }
  if (below.empty() || below.front() != '/') below.insert(below.begin(), '/');
  for (;;) {
    to.push_back({root + c.mount + below, v2});
    if (below == "/") return;
    below.resize(std::max<std::size_t>(below.rfind('/'), 1));  // its parent; at last "/"
  }
}

}  // namespace

std::vector<cgroup_directory> cgroup_directories(const std::string& root, const std::string& name) {
  controller v1;
  controller v2;
  read_groups(root, name, v1, v2);
  read_mounts(root, name, v1, v2);
  std::vector<cgroup_directory> all;
  add_directories(root, v2, true, all);
  add_directories(root, v1, false, all);
  return all;
}

}  // namespace weir::port
