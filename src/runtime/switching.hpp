// SPDX-License-Identifier: MIT
#pragma once
// A switch from one task to the next, to be inlined into the operation that waits. Each return
// after a switch is one that the processor has not foreseen, since it remembers the calls of the
// task that it left: so between the jump and the user's code there are as few as possible.

#include <boost/context/detail/fcontext.hpp>

#include "runtime/carrier.hpp"
#include "runtime/runtime_core.hpp"

namespace weir::detail {

WEIR_HOT void carrier::arrive(void* left_context, stack_shadow& own) noexcept {
  task* t = left_;
  own.enter(t != nullptr ? &t->shadow : &base_shadow_);
  (t != nullptr ? t->context : base_context_) = left_context;
  switch (left_how_) {
    case leaving::nothing: break;
    case leaving::parks:
      // Ordering: release; pairs with the acquire of whoever wakes it: its stack is at rest.
      t->parked.store(true, std::memory_order_release);
      break;
    case leaving::yields:
      // Ordering: release; as above, for whoever takes it from the lane.
      t->parked.store(true, std::memory_order_release);
      lane.push_back(t);
      break;
    case leaving::ends: recycle(t); break;
  }
}

WEIR_NO_ASAN WEIR_HOT void carrier::jump(stack_shadow& own, void* target, stack_shadow& to,
                                         bool last) {
  const exception_state mine = load_exceptions(exceptions());
  own.leave(to, last, &rt.ids);
  const boost::context::detail::transfer_t from =
      boost::context::detail::jump_fcontext(target, this);
  // Perhaps on another thread from here on: nothing that was read before the jump is good now,
  // `this` included. Whoever left passes the carrier on.
  auto* here = static_cast<carrier*>(from.data);
  ordered_after(here);
  here->arrive(from.fctx, own);
  store_exceptions(here->exceptions(), mine);
}

WEIR_HOT void carrier::run_next(task* t) noexcept {
  running_ = t;
  t->home = this;
  // Ordering: relaxed; whoever holds a ready task is alone with it. The next to read this is the
  // one who claims its next operation, ordered by the lock under which that was linked, or by
  // arm().
  t->parked.store(false, std::memory_order_relaxed);
  switches += 1;
}

WEIR_HOT task* carrier::next_at_hand() {
  if (grain.count_switch() || base_wanted_ || directed_) [[unlikely]]
    return next_looking_up();
  return lane.pop();
}

WEIR_NO_ASAN WEIR_HOT void carrier::switch_from_task(task* me, leaving how) {
  left_ = me;
  left_how_ = how;
  // A directed run may be over before its tasks are: what they did comes before the run's end, too.
  if (sanitized && rt.directed_by != nullptr) ordered_before(&rt.ids);
  const bool last = how == leaving::ends;
  if (task* t = next_at_hand()) {
    run_next(t);
    jump(me->shadow, t->context, t->shadow, last);
  } else {
    running_ = nullptr;
    jump(me->shadow, base_context_, base_shadow_, last);
  }
}

WEIR_NO_ASAN WEIR_HOT void carrier::park_current(wait_reason why) {
  task* me = running_;
  if (me->woken_early) [[unlikely]] {
    me->woken_early = false;
    return;
  }
  me->wait_object = why.object;
  me->wait_amount = why.amount;
  me->wait_since = grain.now_about();
  me->waits = why.kind;
  switch_from_task(me, leaving::parks);
  me->waits = nullptr;
}

}  // namespace weir::detail
