// SPDX-License-Identifier: MIT
#pragma once
// The state that belongs to a thread but must follow a task: what the C++ runtime knows of
// exceptions in flight. A task may wait inside a catch block, and another may throw meanwhile.

#include <atomic>

namespace weir::detail {

/// __cxa_eh_globals of the Itanium C++ ABI.
struct exception_state {
  void* caught = nullptr;
  unsigned int uncaught = 0;
};

/// Where the C++ runtime keeps this thread's; it stays there as long as the thread lives.
[[nodiscard]] exception_state* thread_exceptions() noexcept;

// Ordering: relaxed in both; only this thread uses it, from the stacks that it runs: see
// relaxed.hpp.
[[nodiscard]] inline exception_state load_exceptions(exception_state& here) noexcept {
  return {std::atomic_ref(here.caught).load(std::memory_order_relaxed),
          std::atomic_ref(here.uncaught).load(std::memory_order_relaxed)};
}
inline void store_exceptions(exception_state& here, exception_state state) noexcept {
  // Ordering: relaxed; as above.
  std::atomic_ref(here.caught).store(state.caught, std::memory_order_relaxed);
  std::atomic_ref(here.uncaught).store(state.uncaught, std::memory_order_relaxed);
}

}  // namespace weir::detail
