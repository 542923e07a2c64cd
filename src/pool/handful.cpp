// SPDX-License-Identifier: MIT
// How jobs that a worker has taken, but not begun, get back into the queue.
#include "pool/handful.hpp"

#include "pool/pool_core.hpp"
#include "pool/pool_queue.hpp"
#include "sync/call_later.hpp"

namespace weir::detail {
namespace {

// Who becomes idle does not wait for it, so it is for what is rare: a job that waits, or computes
// for long, while all others are busy. Each costs two microseconds.
constexpr std::chrono::milliseconds recall_period{1};

}  // namespace

/// Those that were not taken later than number `up_to`, the youngest first, so that the queue gets
/// into its order.
void pool_core::take_back_handfuls(std::uint64_t up_to) noexcept {
  pool_worker* youngest = nullptr;
  for (pool_worker** from = &holders_; *from != nullptr;) {
    pool_worker* const w = *from;
    if (w->few.is_open() && w->few_number > up_to) {
      from = &w->next_holder;
      continue;
    }
    *from = w->next_holder;
    w->holds = false;
    if (!w->few.is_open()) continue;
    w->few.stop();
    pool_worker** at = &youngest;
    while (*at != nullptr && (*at)->few_number > w->few_number) at = &(*at)->next_holder;
    w->next_holder = std::exchange(*at, w);
  }
  if (youngest == nullptr) return;
  port::process_barrier();
  for (pool_worker* w = youngest; w != nullptr; w = w->next_holder) take_back(*w);
}

/// Looks after handfuls, for as long as there are any.
void pool_core::recall_later() noexcept {
  try {
    call_later(where_, recall_period, [link = link_] {
      if (const ref<pool_core> core = link->core()) core->recall();
    });
  } catch (...) {  // no memory for a timer: now, and the next handful tries again
    const std::lock_guard all(*this);
    recalling_ = false;
  }
}

/// Takes back what was a worker's at the last look already.
void pool_core::recall() noexcept {
  wake_batch wakes;
  lock_queue();
  take_back_handfuls(std::exchange(seen_, handfuls_));
  recalling_ = holders_ != nullptr;
  const bool again = recalling_;
  const todo rest = settle(wakes);
  unlock();
  after_settling(wakes, rest);
  if (again) recall_later();
}

}  // namespace weir::detail
