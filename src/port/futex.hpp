// SPDX-License-Identifier: MIT
#pragma once
// The kernel's wait on a word.

#include <atomic>
#include <cstdint>
#include <limits>

namespace weir::port {

inline constexpr std::int64_t no_deadline = std::numeric_limits<std::int64_t>::max();

/// Sleeps while `word` is `expected`, until woken or until `deadline` (nanoseconds of the steady
/// clock). May return early without a cause: look at the word again.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::int64_t deadline = no_deadline) noexcept;
/// The same, and not as much later as the thread's other sleeps may last (its timer slack: 50 us,
/// unless somebody has changed it), which the kernel uses to wake up for several things at once.
/// Three more system calls.
void futex_wait_exactly(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                        std::int64_t deadline) noexcept;
/// Wakes one thread that sleeps on `word`, whose memory may be gone already: the kernel only
/// compares addresses.
void futex_wake(const std::atomic<std::uint32_t>* word) noexcept;

}  // namespace weir::port
