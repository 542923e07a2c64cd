// SPDX-License-Identifier: MIT
#pragma once
// Where another task may come in between, under explore() (weir/testing.hpp): at the beginning of
// every primitive operation, and wherever one has given up its lock and is not done yet. Elsewhere
// it costs one load of a flag that never changes.
//
// Never inside a lock: with one carrier nobody else could give it back.

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

}  // namespace weir::detail
