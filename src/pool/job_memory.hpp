// SPDX-License-Identifier: MIT
#pragma once
// What both submitters and workers ask of jobs' blocks.

#include <cstdint>

#include "weir/detail/cache_line.hpp"
#include "weir/detail/job.hpp"

namespace weir::detail {

/// Of the system's for a recycled block: up to the next cache line, the block, and where it begins.
inline constexpr std::size_t job_block_memory =
    job_block_size + (cache_line - __STDCPP_DEFAULT_NEW_ALIGNMENT__) + sizeof(void*);

/// Asks for the first cache lines of a block, which are all that most posted jobs have, to be
/// written soon. Of null nothing comes.
inline void fetch_job_block(const void* block) noexcept {
  constexpr std::uintptr_t fetched = 2 * cache_line;
  const auto begin = reinterpret_cast<std::uintptr_t>(block);
  for (std::uintptr_t at = begin; at != begin + fetched; at += cache_line) {
    fetch_to_write(reinterpret_cast<const void*>(at));
  }
}

}  // namespace weir::detail
