// SPDX-License-Identifier: MIT
#pragma once
// The size of a job's block: its function and result have what detail::job leaves of it.

#include <cstddef>

namespace weir::detail {

inline constexpr std::size_t job_block_size = 256;

}  // namespace weir::detail
