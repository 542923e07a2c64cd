// SPDX-License-Identifier: MIT
#include "weir/detail/spin_lock.hpp"

#include <sched.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace weir::detail {

void spin_lock::lock_slow() noexcept {
  constexpr int spins = 64;     // a holder that runs is done by then
  constexpr int yields = 1024;  // one that was preempted gets to run
  for (int round = 0;; ++round) {
    // Ordering: relaxed for the look, which keeps the line shared; acquire for taking it, pairs
    // with the release in unlock().
    if (!held_.load(std::memory_order_relaxed) &&
        !held_.exchange(true, std::memory_order_acquire)) {
      return;
    }
    if (round < spins) {
#if defined(__x86_64__)
      _mm_pause();
#endif
    } else if (round < yields) {
      sched_yield();
    } else {
      // Under a real-time policy yielding may not let a lower priority run: sleep instead.
      const timespec pause{.tv_sec = 0, .tv_nsec = 50'000};
      nanosleep(&pause, nullptr);
    }
  }
}

}  // namespace weir::detail
