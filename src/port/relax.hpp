// SPDX-License-Identifier: MIT
#pragma once
// For loops that wait for another processor: lets the sibling thread of this one have it, and saves
// power.

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace weir::port {

inline void relax() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace weir::port
