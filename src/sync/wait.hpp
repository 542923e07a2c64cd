// SPDX-License-Identifier: MIT
#pragma once
// The wait of every primitive that is not a select: in one queue, and perhaps for a context.

#include <mutex>

#include "weir/context.hpp"
#include "weir/detail/channel_core.hpp"
#include "weir/detail/spin_lock.hpp"
#include "weir/detail/waiter.hpp"

namespace weir::detail {

/// What has claimed an operation that waits in one queue, and perhaps for a context.
enum wait_case : int { served, done, destroyed };  // (the last: a coroutine, by itself)

/// Appends `node` to `list`, parks, and returns true when it was claimed there, false when `until`
/// (may be null) was done first. `m` guards `list`; it is held on entry and free on return, also by
/// exception (errc::forked). After it nobody touches `node`.
bool wait_in(spin_lock& m, wait_list& list, wait_node& node, const context* until, wait_reason why);

/// `node` stands for a wait for `signal`; false if that is closed.
[[nodiscard]] inline bool join(channel_core& signal, wait_node& node) noexcept {
  const std::lock_guard lock(signal.lock);
  if (signal.closed_plain) return false;
  signal.receivers.push_back(node);
  return true;
}

/// Takes `node` out of `list` if it is still in it; `m` is not held.
inline void leave(spin_lock& m, wait_list& list, wait_node& node) noexcept {
  interruption_point("leave of a queue");
  const std::lock_guard lock(m);
  if (node.linked) list.remove(node);
}

}  // namespace weir::detail
