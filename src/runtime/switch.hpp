// SPDX-License-Identifier: MIT
#pragma once
// The state that belongs to a thread but must follow a task: what the C++ runtime knows of
// exceptions in flight. A task may wait inside a catch block, and another may throw meanwhile.

namespace weir::detail {

/// __cxa_eh_globals of the Itanium C++ ABI.
struct exception_state {
  void* caught = nullptr;
  unsigned int uncaught = 0;
};

/// This thread's, now. Between get and set the task may have moved to another thread.
[[nodiscard]] exception_state get_thread_exceptions() noexcept;
void set_thread_exceptions(exception_state state) noexcept;

}  // namespace weir::detail
