// SPDX-License-Identifier: MIT
#pragma once
// open_files: how many jobs the limit of open files allows.

#include <sys/resource.h>

#include <optional>

namespace weir::tool {

struct file_budget {
  /// Jobs that fit, at most as many as were wanted.
  int jobs = 0;
  /// The limit as it was, if it had to be raised.
  std::optional<rlimit> before;
  /// The limit as it is.
  rlim_t limit = 0;
  /// What the wanted number of jobs would have needed.
  rlim_t needed = 0;
};

/// Raises the soft limit as far as `jobs` at once need it and the hard one allows. Throws
/// tool_error when there is not even room for one job. Call it before opening files of ours: those
/// that are open are others'.
[[nodiscard]] file_budget make_room_for(int jobs);

}  // namespace weir::tool
