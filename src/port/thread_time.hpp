// SPDX-License-Identifier: MIT
#pragma once
// How long a thread has run, and how often it was kept from it.

#include <cstdint>

namespace weir::port {

/// Nanoseconds of processor time that the thread of this process with this gettid() has had; -1 if
/// the system does not tell, or there is no such thread. A system call.
[[nodiscard]] std::int64_t thread_time(int thread_id) noexcept;

/// How often the kernel has taken the processor from this thread for another one. A system call.
[[nodiscard]] std::int64_t preemptions() noexcept;

}  // namespace weir::port
