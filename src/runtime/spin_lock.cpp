// SPDX-License-Identifier: MIT
#include "weir/detail/spin_lock.hpp"

#include <sched.h>
#include <time.h>

#include "port/barrier.hpp"
#include "port/relax.hpp"
#include "runtime/clock.hpp"
#include "runtime/relaxed.hpp"
#include "runtime/time_away.hpp"
#include "weir/detail/interruption.hpp"

namespace weir::detail {

#if !defined(__x86_64__)
[[gnu::noinline]] thread_token this_thread_token() noexcept {
  alignas(thread_token_step) static thread_local char mark = 0;
  auto token = reinterpret_cast<thread_token>(&mark);
  asm volatile("" : "+r"(token));  // a caller in the same file may not keep it over a switch
  return token;
}
#endif

namespace {

/// The longer one waits, the more one gives up.
void wait_a_moment(int round) noexcept {
  constexpr int spins = 64;     // a holder that runs is done by then
  constexpr int yields = 1024;  // one that was preempted gets to run
  if (round < spins) {
    port::relax();
  } else if (round < yields) {
    sched_yield();
  } else {
    // Under a real-time policy yielding may not let a lower priority run: sleep instead.
    const timespec pause{.tv_sec = 0, .tv_nsec = 50'000};
    nanosleep(&pause, nullptr);
  }
}

}  // namespace

void spin_lock::wait_for_holder() noexcept {
  // Ordering: relaxed; a hint.
  const std::uint8_t away = time_away_.load(std::memory_order_relaxed);
  for (int i = 1; i < away; ++i) port::relax();
  // A holder that runs is most likely done after a moment: to look first would only bring its cache
  // line here once to be read and once more to be written.
  constexpr int unseen = 2;
  for (int round = 0;; ++round) {
    wait_a_moment(round);
    // Ordering: relaxed for the look, which keeps the line shared; acquire for taking it, pairs
    // with the release in unlock().
    if ((round < unseen || !taken_[0].load(std::memory_order_relaxed)) &&
        !taken_[0].exchange(true, std::memory_order_acquire)) {
      break;
    }
  }
  const std::uint8_t next = next_time_away(away, times_);
  // Ordering: relaxed; as above.
  if (next != away) time_away_.store(next, std::memory_order_relaxed);
}

bool spin_lock::may_reserve() noexcept {
  // Ordering: relaxed; a directed runtime's tasks run on the thread that has set it.
  return !any_directed.load(std::memory_order_relaxed) && port::has_process_barrier();
}

void spin_lock::fence_everybody() noexcept { port::process_barrier(); }

std::uint16_t spin_lock::this_thread_number() noexcept {
  static std::atomic<std::uint32_t> last{0};
  static constinit thread_local relaxed<std::uint16_t> mine{0};  // for all of the thread's tasks
  // Ordering: relaxed in both; only that each is given once matters, and that it does not wrap.
  if (mine == 0 && last.load(std::memory_order_relaxed) < UINT16_MAX) {
    const std::uint32_t next = last.fetch_add(1, std::memory_order_relaxed) + 1;
    if (next <= UINT16_MAX) mine = static_cast<std::uint16_t>(next);  // others ask at the same time
  }
  return mine;
}

std::uint32_t spin_lock::ticks_now() noexcept {
  return static_cast<std::uint32_t>(steady_now() >> 17);
}

void spin_lock::wait_for_owner(int round) noexcept { wait_a_moment(round); }

}  // namespace weir::detail
