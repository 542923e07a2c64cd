// SPDX-License-Identifier: MIT
#pragma once
// wait_in(), for those for whom a call is too dear.

#include "runtime/parking.hpp"
#include "sync/standing_wait.hpp"
#include "sync/wait.hpp"
#include "weir/channel.hpp"

namespace weir::detail {

WEIR_HOT void channel_core::report_operations() noexcept {
  if (carrier* c = carrier::current()) c->grain.count_operations(operations);
  operations = 0;
}

WEIR_HOT bool wait_here(spin_lock& m, wait_list& list, wait_node& node, const context* until,
                        wait_reason why) {
  if (forked()) [[unlikely]] {
    m.unlock();
    throw_forked();
  }
  channel_core* const signal = until != nullptr ? until->done_core() : nullptr;
  operation once(signal != nullptr);
  once.who = current_strand();
  standing_wait* const standing =
      signal != nullptr ? standing_wait::of(once.who, *signal) : nullptr;
  operation& op = standing != nullptr ? standing->op : once;

  wait_node done_node;
  if (standing != nullptr) {
    if (!standing->begin()) [[unlikely]] {
      m.unlock();
      if (!op.claim(done)) park_strand(op.who, why);  // its wake() is on the way
      return false;
    }
  } else if (signal != nullptr) {
    done_node.op = &op;
    done_node.index = done;
    // A primitive's lock first, then a context's: so everywhere.
    if (!join(*signal, done_node)) [[unlikely]] {
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
  } else if (signal != nullptr && standing == nullptr) {
    leave(signal->lock, signal->receivers, done_node);
    standing_wait::count(op.who, *signal);
  }
  return was_served;
}

}  // namespace weir::detail
