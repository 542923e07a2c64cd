// SPDX-License-Identifier: MIT
// Who hears of a runtime's end, and who finds out.
#include "runtime/runtime_core.hpp"

namespace weir::detail {

bool runtime_core::add_listener(end_listener& l) noexcept {
  const std::lock_guard lock(listeners_lock_);
  if (listeners_told_) return false;
  l.listens_ = true;
  l.next_listener_ = listeners_;
  if (listeners_ != nullptr) listeners_->prev_listener_ = &l;
  listeners_ = &l;
  return true;
}

void runtime_core::remove_listener(end_listener& l) noexcept {
  const std::lock_guard lock(listeners_lock_);
  if (!std::exchange(l.listens_, false)) return;
  (l.prev_listener_ != nullptr ? l.prev_listener_->next_listener_ : listeners_) = l.next_listener_;
  if (l.next_listener_ != nullptr) l.next_listener_->prev_listener_ = l.prev_listener_;
  l.next_listener_ = l.prev_listener_ = nullptr;
}

void runtime_core::tell_listeners() noexcept {
  for (;;) {
    ref<end_listener> one;
    {
      const std::lock_guard lock(listeners_lock_);
      listeners_told_ = true;
      while (listeners_ != nullptr && !one) {
        end_listener& l = *listeners_;
        listeners_ = l.next_listener_;
        if (listeners_ != nullptr) listeners_->prev_listener_ = nullptr;
        l.next_listener_ = nullptr;
        l.listens_ = false;
        // One that is on its way out waits for our lock, to be removed.
        if (l.try_retain()) one = ref<end_listener>::adopt(&l);
      }
    }
    if (!one) return;
    one->runtime_ended();
  }
}

bool runtime_core::is_lost() noexcept {
  if (!stopping()) return false;
  if (process_ends_here()) return true;
  const carrier* const c = carrier::current();
  if (c != nullptr && &c->rt == this) return false;  // nobody goes on from there either
  // At the end of the process nobody waits for a task that computes. But who has a runtime of his
  // own, which gave up waiting, may have lent what such a task uses.
  if (!immortal_) {
    (void)wait_for_carriers(std::chrono::steady_clock::time_point::max());
    (void)wait_for_calls(std::chrono::steady_clock::time_point::max());
  }
  return true;
}

}  // namespace weir::detail
