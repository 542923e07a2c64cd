// SPDX-License-Identifier: MIT
#pragma once
// What a strand does, for the case that it is a task and its carrier is here: to be inlined into
// the operations that wait and wake. Everybody else's is in strand.cpp.

#include "runtime/carrier.hpp"
#include "runtime/process.hpp"
#include "runtime/runtime_core.hpp"
#include "runtime/switching.hpp"
#include "weir/detail/waiter.hpp"

namespace weir::detail {

/// One that many new tasks send to, a task a job, is woken by each of them. When a crowd of them is
/// in the lane it had better wait its turn, and find more to do than one's: where there is room for
/// what they send.
WEIR_HOT bool carrier::has_crowd_for(std::size_t room) const noexcept {
  constexpr std::uint32_t crowd = 40;  // see also start_backlog
  const std::uint32_t tasks = lane.count();
  if (tasks <= crowd || tasks >= room) [[likely]]
    return false;
  const task* const waker = running_;
  return waker != nullptr && waker->wait_since == 0;  // it has never waited
}

WEIR_HOT void carrier::ready(task* t, std::size_t room) {
  lazy_turns_ = 0;
  // Ordering: acquire; pairs with arrive(): we may run what is at rest.
  const bool at_rest = t->parked.load(std::memory_order_acquire);
  if (!at_rest || t->interrupted || grain.coarse()) [[unlikely]] {
    ready_apart(t);
    return;
  }
  if (has_crowd_for(room)) [[unlikely]] {
    lane.push_back(t);
  } else {
    lane.push_next(t);
  }
  rt.note_surplus();
}

/// strand::current(), after a look at forked().
[[nodiscard]] inline strand current_strand() {
  task* const t = carrier::current_task();
  return t != nullptr ? strand::of(*t) : strand::current();
}

/// strand::park().
WEIR_HOT void park_strand(const strand& who, wait_reason why) {
  if (task* t = who.waiting_task()) [[likely]] {
    carrier::current()->park_current(why);
    ordered_after(t);
  } else {
    who.park(why);
  }
}

/// strand::wake(), without a call where it is a task of this carrier's runtime. `room`: for so many
/// values, if it waits for one and others can leave theirs where it finds them.
WEIR_HOT void wake_strand(const strand& who, std::size_t room = 0) {
  if (task* t = who.waiting_task()) [[likely]] {
    carrier* const c = carrier::current();
    if (c != nullptr && &c->rt == t->rt) [[likely]] {
      ordered_before(t);
      c->ready(t, room);
      return;
    }
  }
  who.wake();
}

/// The wake-up of one claimed node, whose strand is still parked: it may be gone after it.
WEIR_HOT void wake_node(const wait_node& n, std::size_t room = 0) {
  interruption_point("wake-up");
  wake_strand(n.op->who, room);
}

/// The same after a transfer, when no lock of ours is held. What a task wakes it touches; if it is
/// about to go through more stacks than the caches hold, of data and of addresses, it steps back,
/// so that those run while theirs are there: if it `may_wait`, for a user who calls what never
/// waits may hold a lock. (See also start_backlog. Not for fewer: then it may have more to give
/// than there are who wait, and they can take the rest without waiting again.)
WEIR_HOT void wake_partner(const wait_node& n, bool may_wait, std::size_t room = 0) {
  constexpr std::uint32_t very_many = 4096;
  wake_node(n, room);
  carrier* const c = carrier::current();
  if (c != nullptr && c->lane.count() > very_many && may_wait) [[unlikely]]
    c->step_back();
}

}  // namespace weir::detail
