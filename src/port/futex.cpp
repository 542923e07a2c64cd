// SPDX-License-Identifier: MIT
#include "port/futex.hpp"

#include <linux/futex.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace weir::port {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::int64_t deadline) noexcept {
  constexpr std::int64_t second = 1'000'000'000;
  timespec at{.tv_sec = static_cast<time_t>(deadline / second),
              .tv_nsec = static_cast<long>(deadline % second)};
  // The bitset form takes an absolute time on CLOCK_MONOTONIC, which is std::chrono::steady_clock.
  syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected,
          deadline == no_deadline ? nullptr : &at, nullptr, FUTEX_BITSET_MATCH_ANY);
}

void futex_wait_exactly(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                        std::int64_t deadline) noexcept {
  // For this sleep only: threads and processes inherit it from whoever starts them.
  const int slack = prctl(PR_GET_TIMERSLACK);
  const bool shorter = slack > 1 && prctl(PR_SET_TIMERSLACK, 1UL) == 0;
  futex_wait(word, expected, deadline);
  if (shorter) prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(slack));
}

void futex_wake(const std::atomic<std::uint32_t>* word) noexcept {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

}  // namespace weir::port
