// SPDX-License-Identifier: MIT
#pragma once
// The state that belongs to a thread but must follow a task: what the C++ runtime knows of exceptions
// in flight. A task may wait inside a catch block, and another may throw meanwhile.

namespace weir::detail {

/// __cxa_eh_globals of the Itanium C++ ABI.
struct exception_state {
  void* caught = nullptr;
  unsigned int uncaught = 0;
};

/// This thread's. Never keep the pointer over a switch: the thread may be another one then.
[[nodiscard]] exception_state* thread_exceptions() noexcept;

}  // namespace weir::detail
