// SPDX-License-Identifier: MIT
#include "port/memory.hpp"

#include <algorithm>
#include <fstream>
#include <limits>

#include "port/cgroup.hpp"

namespace weir::port {
namespace {

constexpr std::int64_t unlimited = std::numeric_limits<std::int64_t>::max();

/// A file's number; `otherwise` if it has none (a limit of "max").
std::int64_t number_in(const std::string& path, std::int64_t otherwise) {
  std::ifstream in(path);
  std::int64_t n = 0;
  return in >> n ? n : otherwise;
}

/// The number behind a word at the beginning of a line, 0 if there is no such line.
std::int64_t number_after(const std::string& path, const std::string& word) {
  std::ifstream in(path);
  std::int64_t n = 0;
  for (std::string first; in >> first; in.ignore(unlimited, '\n')) {
    if (first == word && in >> n) return n;
    in.clear();
  }
  return 0;
}

std::int64_t left_in(const cgroup_directory& g) {
  const std::int64_t limit =
      number_in(g.path + (g.v2 ? "/memory.max" : "/memory.limit_in_bytes"), unlimited);
  if (limit >= unlimited / 4096 * 4096) return unlimited;  // v1's word for none
  const std::int64_t used =
      number_in(g.path + (g.v2 ? "/memory.current" : "/memory.usage_in_bytes"), 0);
  // Clean pages of files that were read once are given up on demand.
  const std::int64_t cached =
      number_after(g.path + "/memory.stat", g.v2 ? "inactive_file" : "total_inactive_file");
  return std::max<std::int64_t>(limit - used + std::min(cached, used), 0);
}

}  // namespace

std::int64_t available_memory(const std::string& root) {
  const std::int64_t kib = number_after(root + "/proc/meminfo", "MemAvailable:");
  std::int64_t least = kib > 0 ? kib * 1024 : unlimited;
  for (const cgroup_directory& g : cgroup_directories(root, "memory")) {
    least = std::min(least, left_in(g));
  }
  return least;
}

double memory_pressure(const std::string& root) {
  std::string path = root + "/proc/pressure/memory";
  for (const cgroup_directory& g : cgroup_directories(root, "memory")) {
    if (!g.v2 || !std::ifstream(g.path + "/memory.pressure")) continue;
    path = g.path + "/memory.pressure";
    break;
  }
  std::ifstream in(path);
  for (std::string word; in >> word;) {
    if (word.starts_with("avg10=")) return std::strtod(word.c_str() + 6, nullptr);
  }
  return 0;
}

}  // namespace weir::port
