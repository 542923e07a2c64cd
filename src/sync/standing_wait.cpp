// SPDX-License-Identifier: MIT
#include "sync/standing_wait.hpp"

#include <memory>
#include <mutex>
#include <new>

#include "runtime/runtime_core.hpp"

namespace weir::detail {

standing_wait::standing_wait(task& t, channel_core& signal) noexcept
    : signal_(ref<channel_core>::share(&signal)) {
  op.who = strand::of(t);
  (void)op.claim(served);  // not armed
  node_.op = &op;
  node_.index = done;
}

// (Not leave(): under a director a task that has failed, and ends, must not be stopped here.)
standing_wait::~standing_wait() {
  const unbroken as_it_ends;
  const std::lock_guard lock(signal_->lock);
  if (node_.linked) signal_->receivers.remove(node_);
}

std::uint32_t standing_wait::enough(const task& t) noexcept {
  // Ordering: relaxed; any number will do.
  return t.rt->directed_by != nullptr ? 1 : enough_waits.load(std::memory_order_relaxed);
}

void standing_wait::stand(task& t, channel_core& signal) noexcept {
  t.waits_in_a_row = 0;
  if (!port::has_process_barrier() && t.rt->directed_by == nullptr) return;
  delete std::exchange(t.left, nullptr);
  std::unique_ptr<standing_wait> made(new (std::nothrow) standing_wait(t, signal));
  if (!made) return;
  interruption_point("standing wait for a context");
  const std::lock_guard lock(signal.lock);
  if (signal.closed_plain) return;
  signal.has_standing = true;
  signal.receivers.push_back(made->node_);
  t.left = made.release();
}

}  // namespace weir::detail
