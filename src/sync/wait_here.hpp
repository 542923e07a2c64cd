// SPDX-License-Identifier: MIT
#pragma once
// wait_in(), for those for whom a call is too dear.

#include "runtime/parking.hpp"
#include "sync/wait.hpp"
#include "weir/channel.hpp"

namespace weir::detail {

WEIR_HOT void channel_core::report_operations() noexcept {
  if (carrier* c = carrier::current()) c->grain.count_operations(operations);
  operations = 0;
}

WEIR_HOT bool wait_here(spin_lock& m, wait_list& list, wait_node& node, const context* until,
                        wait_reason why) {
  enum : int { served, done };
  if (forked()) [[unlikely]] {
    m.unlock();
    throw_forked();
  }
  channel_core* const signal = until != nullptr ? until->done_core() : nullptr;
  operation op(signal != nullptr);
  op.who = current_strand();

  wait_node done_node;
  if (signal != nullptr) {
    done_node.op = &op;
    done_node.index = done;
    // A primitive's lock first, then a context's: so everywhere.
    signal->lock.lock();
    const bool is_done = signal->closed_plain;
    if (!is_done) signal->receivers.push_back(done_node);
    signal->lock.unlock();
    if (is_done) [[unlikely]] {
      m.unlock();
      return false;
    }
  }
  node.op = &op;
  node.index = served;
  list.push_back(node);
  m.unlock();
  interruption_point("park");

  // No wake-up is lost: from here on a claimer finds the node, and its wake() makes the park()
  // return, even if it comes before it.
  park_strand(op.who, why);
  const bool was_served = op.winner() == served;
  if (!was_served) {
    leave(m, list, node);
  } else if (signal != nullptr) {
    leave(signal->lock, signal->receivers, done_node);
  }
  return was_served;
}

}  // namespace weir::detail
