// SPDX-License-Identifier: MIT
#pragma once
// process_group: who is left of a job's process group once its leader has been reaped.

#include <sys/types.h>

#include <unordered_set>

namespace weir::tool {

/// Is there anybody in it? Reaps those that have become our children (weir may be a container's
/// first process, to which all orphans are given): a zombie is somebody to the kernel. Others'
/// zombies count here. Its leader must have been reaped.
[[nodiscard]] bool group_lives(pid_t group) noexcept;

/// The groups that have a member which is no zombie: what /proc says, which takes a while.
[[nodiscard]] std::unordered_set<pid_t> groups_without_zombies();

}  // namespace weir::tool
