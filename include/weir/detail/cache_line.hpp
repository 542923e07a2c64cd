// SPDX-License-Identifier: MIT
#pragma once
// Cache lines that other processors write.

#include <cstddef>

namespace weir::detail {

inline constexpr std::size_t cache_line = 64;

/// Asks for a cache line that will soon be written, so that nobody has to wait for it then. A hint:
/// any address will do, null as well.
inline void fetch_to_write(const void* at) noexcept {
#if defined(__x86_64__)
  // The builtin only asks to read, since the very first x86-64 processors know no more (to them
  // this is a no-op): the write would then need a second trip.
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(at)));
#else
  __builtin_prefetch(at, 1);
#endif
}

}  // namespace weir::detail
