// SPDX-License-Identifier: MIT
#pragma once
// The wait of every primitive that is not a select: in one queue, and perhaps for a context.

#include <mutex>

#include "weir/context.hpp"
#include "weir/detail/spin_lock.hpp"
#include "weir/detail/waiter.hpp"

namespace weir::detail {

/// Appends `node` to `list`, parks, and returns true when it was claimed there, false when `until`
/// (may be null) was done first. `m` guards `list`; it is held on entry and free on return, also by
/// exception (errc::forked). After it nobody touches `node`.
bool wait_in(spin_lock& m, wait_list& list, wait_node& node, const context* until, wait_reason why);

/// Takes `node` out of `list` if it is still in it; `m` is not held.
inline void leave(spin_lock& m, wait_list& list, wait_node& node) noexcept {
  interruption_point("leave of a queue");
  const std::lock_guard lock(m);
  if (node.linked) list.remove(node);
}

}  // namespace weir::detail
