// SPDX-License-Identifier: MIT
#include "weir/sync.hpp"

#include <limits>
#include <mutex>
#include <stdexcept>
#include <string>

#include "runtime/return_by_jump.hpp"
#include "sync/wait.hpp"
#include "weir/detail/coroutine_wait.hpp"

namespace weir {
namespace detail {
namespace {

constexpr wait_kind group_wait{"wait on wait_group", "count"};
constexpr wait_kind mutex_wait{"lock of mutex"};
constexpr wait_kind semaphore_wait{"acquire from semaphore", "wants"};
constexpr wait_kind once_wait{"call of once"};

struct wait_group_state final : shared_object {
  spin_lock lock;  // guards the rest
  std::int64_t count = 0;
  wait_list waiters;
};

struct mutex_state final : shared_object {
  spin_lock lock;  // guards the rest
  bool locked = false;
  wait_list waiters;
};

struct semaphore_state final : shared_object {
  explicit semaphore_state(std::int64_t n) : size(n), free(n) {}
  const std::int64_t size;
  spin_lock lock;  // guards the rest
  std::int64_t free;
  wait_list waiters;  // node.weight is what each wants
};

struct once_state final : shared_object {
  std::atomic<bool> ended{false};
  spin_lock lock;  // guards the rest, and the writing of ended
  bool begun = false;
  wait_list waiters;
};

template <class State>
State& as(const ref<shared_object>& r) noexcept {
  return static_cast<State&>(*r);
}

/// Every waiter goes on.
void release_all(wait_list& waiters, wake_batch& wakes) noexcept {
  while (wait_node* n = waiters.claim_front()) wakes.add(*n);
}

}  // namespace
}  // namespace detail

using namespace detail;

// ---- wait_group ---------------------------------------------------------------------------------

wait_group::wait_group() : state_(make_ref<wait_group_state>()) {}

void wait_group::add(amount n) const {
  interruption_point("wait_group add");
  auto& s = as<wait_group_state>(state_);
  wake_batch wakes;
  {
    const std::lock_guard lock(s.lock);
    if (n > 0 && s.count > std::numeric_limits<std::int64_t>::max() - n) {
      throw std::logic_error("weir: wait_group counter overflows");
    }
    if (n < 0 && s.count + n < 0) {
      throw std::logic_error("weir: negative wait_group counter: more done() than add()");
    }
    s.count += n;
    if (s.count == 0) release_all(s.waiters, wakes);
  }
  wakes.wake_all();
}

namespace {
/// The lock is held. A reference to the group comes along.
WEIR_RETURN_BY_JUMP bool wait_locked(shared_object* group, const context* until) {
  const auto keep = ref<shared_object>::adopt(group);
  auto& s = as<wait_group_state>(keep);
  wait_node node;
  const auto left = static_cast<std::size_t>(s.count);
  return wait_in(s.lock, s.waiters, node, until,
                 {.kind = &group_wait, .object = &s, .amount = left});
}

bool wait_for_group(const ref<shared_object>& group, const context* until) {
  interruption_point("wait_group wait");
  ref<shared_object> keep = group;  // done() may be the last use of every other handle
  auto& s = as<wait_group_state>(keep);
  s.lock.lock();
  if (s.count == 0) {
    s.lock.unlock();
    return true;
  }
  return wait_locked(keep.detach(), until);
}
}  // namespace

void wait_group::wait() const { (void)wait_for_group(state_, nullptr); }

bool wait_group::wait(const context& ctx) const {
  return !ctx.cancelled() && wait_for_group(state_, &ctx);
}

bool coroutine_group_wait::try_now() noexcept {
  interruption_point("wait_group wait of a coroutine");
  if (until_.cancelled()) return true;
  auto& s = as<wait_group_state>(group_);
  const std::lock_guard lock(s.lock);
  served_ = s.count == 0;
  return served_;
}

[[gnu::noinline]] bool coroutine_group_wait::suspend(std::coroutine_handle<> h) {
  wait_.expect(h);
  interruption_point("suspension of a coroutine");
  auto& s = as<wait_group_state>(group_);
  s.lock.lock();
  served_ = s.count == 0;
  if (served_) {
    s.lock.unlock();
  } else if (wait_.join(s.lock, s.waiters, nullptr, until_.done_core())) {
    return true;
  }
  wait_.go_on();
  return false;
}

bool coroutine_group_wait::finish() noexcept {
  const auto how = wait_.finish();
  // Those who are released at 0 are not marked as served with a value.
  if (how != coroutine_wait::result::never_waited) {
    served_ = how != coroutine_wait::result::cancelled;
  }
  return served_;
}

std::int64_t wait_group::count() const noexcept {
  auto& s = as<wait_group_state>(state_);
  const std::lock_guard lock(s.lock);
  return s.count;
}

// ---- mutex --------------------------------------------------------------------------------------

mutex::mutex() : state_(make_ref<mutex_state>()) {}

namespace {
/// The lock is held.
WEIR_RETURN_BY_JUMP bool wait_locked(mutex_state& s, const context* until) {
  wait_node node;  // unlock() leaves it locked, for us
  return wait_in(s.lock, s.waiters, node, until, {.kind = &mutex_wait, .object = &s});
}

bool lock_mutex(mutex_state& s, const context* until) {
  interruption_point("mutex lock");
  s.lock.lock();
  if (!s.locked) {
    s.locked = true;
    s.lock.unlock();
    return true;
  }
  return wait_locked(s, until);
}
}  // namespace

void mutex::lock() const { (void)lock_mutex(as<mutex_state>(state_), nullptr); }

bool mutex::lock(const context& ctx) const {
  return !ctx.cancelled() && lock_mutex(as<mutex_state>(state_), &ctx);
}

bool mutex::try_lock() const {
  interruption_point("mutex try_lock");
  auto& s = as<mutex_state>(state_);
  const std::lock_guard lock(s.lock);
  return !std::exchange(s.locked, true);
}

void mutex::unlock() const {
  interruption_point("mutex unlock");
  auto& s = as<mutex_state>(state_);
  wake_batch wakes;
  {
    const std::lock_guard lock(s.lock);
    if (!s.locked) throw std::logic_error("weir: unlock of a mutex that is not locked");
    if (wait_node* next = s.waiters.claim_front()) {
      wakes.add(*next);
    } else {
      s.locked = false;
    }
  }
  wakes.wake_all();
}

// ---- semaphore ----------------------------------------------------------------------------------

namespace {

/// First come, first served: nobody overtakes a request that does not fit yet. Under the lock.
void serve(semaphore_state& s, wake_batch& wakes) noexcept {
  while (wait_node* n = s.waiters.front()) {
    if (n->weight > s.free) return;
    s.waiters.remove(*n);
    if (!n->op->claim(n->index)) continue;  // gone with its context
    s.free -= n->weight;
    wakes.add(*n);
  }
}

void check_amount(std::int64_t n, const char* what) {
  if (n < 0) {
    throw std::invalid_argument(std::string("weir::semaphore: ") + what + " of " +
                                std::to_string(n) + " is negative");
  }
}

bool acquire_from(semaphore_state& s, std::int64_t n, const context* until) {
  interruption_point("semaphore acquire");
  check_amount(n, "acquire");
  if (until == nullptr && n > s.size) {
    throw std::invalid_argument("weir::semaphore: acquire of " + std::to_string(n) + " from " +
                                std::to_string(s.size) + " would wait for ever");
  }
  if (n > s.size) {  // as in Go: it waits for its context, and nobody behind it
    wait_for_nothing(until, semaphore_wait);
    return false;
  }
  s.lock.lock();
  if (n <= s.free && s.waiters.empty()) {
    s.free -= n;
    s.lock.unlock();
    return true;
  }
  wait_node node;
  node.weight = n;
  const auto wanted = static_cast<std::size_t>(n);
  if (wait_in(s.lock, s.waiters, node, until,
              {.kind = &semaphore_wait, .object = &s, .amount = wanted})) {
    return true;
  }
  interruption_point("semaphore leave");
  // We may have been the large one that the others stood behind.
  wake_batch wakes;
  {
    const std::lock_guard lock(s.lock);
    serve(s, wakes);
  }
  wakes.wake_all();
  return false;
}

}  // namespace

semaphore::semaphore(amount n) {
  check_amount(n, "a total");
  state_ = make_ref<semaphore_state>(n);
}

void semaphore::acquire(amount n) const {
  (void)acquire_from(as<semaphore_state>(state_), n, nullptr);
}

bool semaphore::acquire(const context& ctx, amount n) const {
  check_amount(n, "acquire");
  return !ctx.cancelled() && acquire_from(as<semaphore_state>(state_), n, &ctx);
}

bool semaphore::try_acquire(amount n) const {
  interruption_point("semaphore try_acquire");
  check_amount(n, "try_acquire");
  auto& s = as<semaphore_state>(state_);
  const std::lock_guard lock(s.lock);
  if (n > s.free || !s.waiters.empty()) return false;
  s.free -= n;
  return true;
}

void semaphore::release(amount n) const {
  interruption_point("semaphore release");
  check_amount(n, "release");
  auto& s = as<semaphore_state>(state_);
  wake_batch wakes;
  {
    const std::lock_guard lock(s.lock);
    if (n > s.size - s.free) throw std::logic_error("weir: semaphore released more than acquired");
    s.free += n;
    serve(s, wakes);
  }
  wakes.wake_all();
}

std::int64_t semaphore::available() const noexcept {
  auto& s = as<semaphore_state>(state_);
  const std::lock_guard lock(s.lock);
  return s.free;
}

// ---- once ---------------------------------------------------------------------------------------

once::once() : state_(make_ref<once_state>()) {}

bool once::called() const noexcept {
  // Ordering: acquire; pairs with end(): the function's effects are visible.
  return as<once_state>(state_).ended.load(std::memory_order_acquire);
}

bool once::begin() const {
  interruption_point("once call");
  if (called()) return false;
  auto& s = as<once_state>(state_);
  s.lock.lock();
  // Ordering: relaxed; written under the lock.
  const bool ended = s.ended.load(std::memory_order_relaxed);
  if (ended || !s.begun) {
    s.begun = true;
    s.lock.unlock();
    return !ended;
  }
  wait_node node;
  (void)wait_in(s.lock, s.waiters, node, nullptr, {.kind = &once_wait, .object = &s});
  return false;
}

void once::end() const noexcept {
  interruption_point("once end");
  auto& s = as<once_state>(state_);
  wake_batch wakes;
  {
    const std::lock_guard lock(s.lock);
    // Ordering: release; pairs with called().
    s.ended.store(true, std::memory_order_release);
    release_all(s.waiters, wakes);
  }
  wakes.wake_all();
}

}  // namespace weir
