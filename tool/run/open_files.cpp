// SPDX-License-Identifier: MIT
#include "run/open_files.hpp"

#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "error.hpp"

namespace weir::tool {
namespace {

// A running job: its pidfd, two pipes, two files of output. One that is being started has the other
// ends of the pipes, too. Outcomes that wait to be printed hold their files.
constexpr rlim_t files_a_job = 5;
constexpr rlim_t files_besides = 192;
constexpr rlim_t files_least = 24;  // enough for a few jobs with little output

/// Open files that the tool was given, other than its three streams.
rlim_t files_inherited() {
  constexpr int streams = 3;
  rlim_t count = 0;
  DIR* const files = opendir("/proc/self/fd");
  if (files == nullptr) return 0;
  while (const dirent* entry = readdir(files)) {
    const int fd = std::atoi(entry->d_name);
    if (fd >= streams && fd != dirfd(files)) ++count;
  }
  closedir(files);
  return count;
}

}  // namespace

file_budget make_room_for(int jobs) {
  rlimit now{};
  if (getrlimit(RLIMIT_NOFILE, &now) != 0) {
    throw tool_error({"open files", std::strerror(errno), {}});
  }
  file_budget budget;
  const rlim_t inherited = files_inherited();
  budget.needed = inherited + files_besides + files_a_job * static_cast<rlim_t>(jobs);
  if (now.rlim_cur < budget.needed && now.rlim_cur < now.rlim_max) {
    budget.before = now;
    now.rlim_cur = std::min(budget.needed, now.rlim_max);
    if (setrlimit(RLIMIT_NOFILE, &now) != 0) {
      now = *budget.before;
      budget.before.reset();
    }
  }
  budget.limit = now.rlim_cur;
  if (budget.limit >= budget.needed) {
    budget.jobs = jobs;
    return budget;
  }
  const rlim_t ours = budget.limit - std::min(budget.limit, inherited);
  if (ours < files_least) {
    throw tool_error({"open files",
                      fmt::format("the limit is {}, {} are open, a job needs {}", budget.limit,
                                  inherited, files_least),
                      "Raise it with ulimit -n"});
  }
  const rlim_t besides = std::min(files_besides, ours / 2 + files_a_job);
  budget.jobs = static_cast<int>(
      std::clamp<rlim_t>((ours - besides) / files_a_job, 1, static_cast<rlim_t>(jobs)));
  return budget;
}

}  // namespace weir::tool
