// SPDX-License-Identifier: MIT
#pragma once
// A cache line that another processor will need next is best left where that gets it sooner: in the
// cache that all share. (Intel's CLDEMOTE: a line that was changed here comes over in some 50 ns
// instead of 110.)
//
//   lock.unlock();
//   …                        // a moment, so that what was written has left the processor
//   port::demote(&lock);     // the other one's turn

#include <atomic>

namespace weir::port {

/// Has this processor the instruction? (Not under valgrind, which does not know it.) False until
/// the library is initialised, to whose threads a static object of the user's may belong.
extern constinit std::atomic<bool> can_demote;

/// Moves the cache line of `at` away from this processor, if that can be done. A hint, that costs
/// whoever gives it wrongly the way back of the line; any address will do.
inline void demote(const void* at) noexcept {
#if defined(__x86_64__)
  // By its bytes: assemblers want to be told that the processor has it. `cldemote (%rax)`
  // Ordering: relaxed; a hint.
  if (can_demote.load(std::memory_order_relaxed))
    asm volatile(".byte 0x0f, 0x1c, 0x00" : : "a"(at));
#else
  (void)at;
#endif
}

}  // namespace weir::port
