// SPDX-License-Identifier: MIT
#pragma once
// Where another task may come in between, under explore() (weir/testing.hpp): at the beginning of
// every primitive operation, and wherever one has given up its lock and is not done yet. Elsewhere
// it costs one load of a flag that never changes.
//
// Never inside a lock: with one carrier nobody else could give it back.
//
// In a build with WEIR_STOPS_AT_LOCKS (`make long`) also before and after every spin_lock, wherever
// that is: so a point that has been forgotten, between a look and a wait, say, is not overlooked.

#include <atomic>

namespace weir::detail {

/// Whether any runtime of this process is directed; see runtime/director.hpp.
extern std::atomic<bool> any_directed;
void interrupt_directed(const char* before);

/// `before` says what comes next, for the report of a failing schedule.
inline void interruption_point(const char* before) {
  // Ordering: relaxed; a directed runtime's tasks run on the thread that has set it.
  if (any_directed.load(std::memory_order_relaxed)) [[unlikely]]
    interrupt_directed(before);
}

#if defined(WEIR_STOPS_AT_LOCKS)
inline constexpr bool stops_at_locks = true;
#else
inline constexpr bool stops_at_locks = false;
#endif

/// Only with stops_at_locks: how many locks this thread holds, and `unbroken` it has.
inline thread_local int unbroken_depth = 0;

inline void before_lock() {
  if constexpr (stops_at_locks) {
    if (unbroken_depth == 0) interruption_point("lock");
    ++unbroken_depth;
  }
}
inline void after_unlock() {
  if constexpr (stops_at_locks) {
    if (--unbroken_depth == 0) interruption_point("go on after a lock");
  }
}

/// As long as it lives nobody comes in at a spin_lock: for what is under a std::mutex, where the
/// next one would wait for ever, or a thread's own, which no scheduler ever interrupts.
class unbroken {
 public:
  unbroken() noexcept {
    if constexpr (stops_at_locks) ++unbroken_depth;
  }
  ~unbroken() {
    if constexpr (stops_at_locks) --unbroken_depth;
  }
  unbroken(const unbroken&) = delete;
  unbroken& operator=(const unbroken&) = delete;
};

}  // namespace weir::detail
