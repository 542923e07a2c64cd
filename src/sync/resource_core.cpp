// SPDX-License-Identifier: MIT
#include "weir/detail/resource_core.hpp"

#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

#include "runtime/runtime_core.hpp"
#include "sync/wait.hpp"

namespace weir::detail {
namespace {

constexpr wait_kind resource_wait{"acquire from resource_pool", "of"};

time_ns clock_now() noexcept {
  const runtime_core* rt = runtime_core::current_if_started();
  return rt != nullptr ? rt->clock.now() : steady_now();
}

void check_time(nanoseconds t, const char* name) {
  if (t < nanoseconds::zero()) {
    throw std::invalid_argument(std::string("weir::resource_pool: .") + name + " of " +
                                std::to_string(t.count()) + " ns is negative");
  }
}

resource_slot*& given_to(const wait_node& n) noexcept {
  return *static_cast<resource_slot**>(n.value);
}

}  // namespace

resource_core::resource_core(const resource_limits& limits) : limits_(limits) {
  if (limits.most < 1) {
    throw std::invalid_argument("weir::resource_pool: at most " + std::to_string(limits.most) +
                                ": give it one at least, or every acquire() waits for ever");
  }
  check_time(limits.check_after, "check_after");
  check_time(limits.max_idle, "max_idle");
  check_time(limits.max_lifetime, "max_lifetime");
}

void resource_core::destroy_idle() noexcept {
  while (newest_ != nullptr) delete std::exchange(newest_, newest_->older);
}

bool resource_core::take(resource_slot*& slot, const context* until, patience p) {
  interruption_point("acquire from a resource_pool");
  trim(look_at::oldest);
  lock_.lock();
  slot = waiters_.empty() ? newest_ : nullptr;
  if (slot != nullptr) remove_idle(*slot);
  const bool has_place = slot != nullptr || (waiters_.empty() && open_ < limits_.most);
  if (closed_ || has_place || p == patience::none) {
    if (!closed_ && has_place && slot == nullptr) ++open_;
    const bool taken = !closed_ && has_place;
    lock_.unlock();
    return taken;
  }
  ++waits_;
  wait_node node;
  node.value = &slot;
  return wait_in(lock_, waiters_, node, until,
                 {.kind = &resource_wait,
                  .object = this,
                  .amount = static_cast<std::size_t>(limits_.most)}) &&
         node.ok;
}

void resource_core::give_back(resource_slot& slot) noexcept {
  interruption_point("return to a resource_pool");
  slot.idle_since = clock_now();
  wake_batch wakes;
  bool unwanted = false;
  {
    const std::lock_guard lock(lock_);
    unwanted = closed_ || is_over(slot, slot.idle_since);
    if (unwanted) {
      if (!closed_) ++discarded_;
    } else if (wait_node* next = waiters_.claim_front()) {
      given_to(*next) = &slot;
      next->ok = true;
      wakes.add(*next);
    } else {
      push_idle(slot);
    }
  }
  wakes.wake_all();
  if (unwanted) {
    delete &slot;
    free_place();
  }
  trim(look_at::oldest);
}

void resource_core::destroy(resource_slot& slot) noexcept {
  delete &slot;
  const std::lock_guard lock(lock_);
  ++discarded_;
}

void resource_core::free_place() noexcept {
  interruption_point("return of a place to a resource_pool");
  wake_batch wakes;
  {
    const std::lock_guard lock(lock_);
    if (wait_node* next = waiters_.claim_front()) {
      given_to(*next) = nullptr;
      next->ok = true;
      wakes.add(*next);
    } else {
      --open_;
    }
  }
  wakes.wake_all();
}

void resource_core::note_made(resource_slot& slot) noexcept {
  slot.made_at = slot.idle_since = clock_now();
  const std::lock_guard lock(lock_);
  ++made_;
}

resource_pool_stats resource_core::stats() const {
  const std::lock_guard lock(lock_);
  return {open_, open_ - idle_, idle_, made_, discarded_, waits_};
}

// ---- age ----------------------------------------------------------------------------------------

bool resource_core::is_over(const resource_slot& slot, std::int64_t now) const noexcept {
  return now - slot.idle_since > limits_.max_idle.count() ||
         now - slot.made_at > limits_.max_lifetime.count();
}

bool resource_core::is_over(const resource_slot& slot) const noexcept {
  return is_over(slot, clock_now());
}

bool resource_core::is_to_be_checked(const resource_slot& slot) const noexcept {
  return clock_now() - slot.idle_since >= limits_.check_after.count();
}

void resource_core::trim(look_at which) {
  const bool ages =
      limits_.max_idle != nanoseconds::max() || limits_.max_lifetime != nanoseconds::max();
  if (!ages) return;
  resource_slot* over = nullptr;
  {
    const std::lock_guard lock(lock_);
    over = take_over_idle(which, clock_now());
  }
  destroy_all(over);
}

/// Those whose time is over, as a chain of `older`; their places are the caller's.
resource_slot* resource_core::take_over_idle(look_at which, std::int64_t now) noexcept {
  resource_slot* chain = nullptr;
  for (resource_slot* s = oldest_; s != nullptr;) {
    resource_slot* const following = s->newer;
    if (is_over(*s, now)) {
      remove_idle(*s);
      ++discarded_;
      s->older = std::exchange(chain, s);
    } else if (which == look_at::oldest) {
      break;
    }
    s = following;
  }
  return chain;
}

void resource_core::destroy_all(resource_slot* chain) noexcept {
  while (chain != nullptr) {
    delete std::exchange(chain, chain->older);
    free_place();
  }
}

// ---- the idle -----------------------------------------------------------------------------------

void resource_core::push_idle(resource_slot& slot) noexcept {
  slot.newer = nullptr;
  slot.older = newest_;
  (newest_ != nullptr ? newest_->newer : oldest_) = &slot;
  newest_ = &slot;
  ++idle_;
}

void resource_core::remove_idle(resource_slot& slot) noexcept {
  (slot.newer != nullptr ? slot.newer->older : newest_) = slot.older;
  (slot.older != nullptr ? slot.older->newer : oldest_) = slot.newer;
  --idle_;
}

void resource_core::close() {
  interruption_point("close of a resource_pool");
  wake_batch wakes;
  resource_slot* chain = nullptr;
  {
    const std::lock_guard lock(lock_);
    closed_ = true;
    chain = std::exchange(newest_, nullptr);  // linked by `older` already
    oldest_ = nullptr;
    idle_ = 0;
    while (wait_node* n = waiters_.claim_front()) wakes.add(*n);
  }
  wakes.wake_all();
  destroy_all(chain);
}

}  // namespace weir::detail
