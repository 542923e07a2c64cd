// SPDX-License-Identifier: MIT
#pragma once
// How much memory is to be had, and how hard the system looks for some.

#include <cstdint>
#include <string>

namespace weir::port {

/// Bytes that this process could still get without swapping: of the machine (MemAvailable) and of
/// its cgroups (limit less use, where cached files count as free), whichever is least; the largest
/// int64 where nothing says. Reads below `root`, which is "" but for tests.
[[nodiscard]] std::int64_t available_memory(const std::string& root);

/// The share of the last ten seconds, in percent, in which some task waited for memory: of our v2
/// cgroup, else of the machine (PSI, some avg10); 0 where nothing says.
[[nodiscard]] double memory_pressure(const std::string& root);

}  // namespace weir::port
