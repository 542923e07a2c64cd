// SPDX-License-Identifier: MIT
#include "weir/coroutine.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <system_error>
#include <utility>

#include "sync/wait_here.hpp"
#include "weir/detail/coroutine_wait.hpp"
#include "weir/detail/interruption.hpp"
#include "weir/error.hpp"

namespace weir::detail {
namespace {

// Where those stand who wait at a nil channel.
struct {
  spin_lock m;
  wait_list list;
} constinit nowhere;

}  // namespace

// ---- coroutine_wait -----------------------------------------------------------------------------

bool coroutine_wait::join(spin_lock& m, wait_list& list, void* value,
                          channel_core* signal) noexcept {
  op_.who = strand::of(suspension_);
  node_.op = &op_;
  node_.index = served;
  node_.value = value;
  m_ = &m;
  list_ = &list;
  waits_ = true;  // not after the first push_back: from there on we may be resumed
  if (signal != nullptr) {
    signal_ = signal;
    done_node_.op = &op_;
    done_node_.index = done;
    // A primitive's lock first, then a context's: so everywhere.
    if (!weir::detail::join(*signal, done_node_)) {
      waits_ = false;
      m.unlock();
      return false;
    }
  }
  list.push_back(node_);
  // Whoever has claimed us through the signal meanwhile has us resumed, but we take node_ out, and
  // wait for this lock, before anything else.
  m.unlock();
  return true;
}

void coroutine_wait::leave_all(int winner) noexcept {
  if (winner != served) leave(*m_, *list_, node_);
  if (winner != done && signal_ != nullptr) leave(signal_->lock, signal_->receivers, done_node_);
}

coroutine_wait::result coroutine_wait::finish() noexcept {
  if (!waits_) return result::never_waited;
  waits_ = false;
  const int winner = op_.winner();
  leave_all(winner);
  if (winner != served) return result::cancelled;
  return node_.ok ? result::served : result::refused;
}

bool coroutine_wait::abandon() noexcept {
  if (!waits_) return false;
  waits_ = false;
  const bool ours = op_.claim(destroyed);  // (keeps I2)
  if (!ours) suspension_.withdraw();
  leave_all(op_.winner());
  if (ours) suspension_.forget();
  return !ours;
}

// ---- coroutine_transfer -------------------------------------------------------------------------

bool coroutine_transfer::try_now(void* element) noexcept {
  interruption_point(way_ == direction::send ? "send of a coroutine" : "receive of a coroutine");
  if (until_.cancelled()) {
    result_ = transfer::cancelled;
    return true;
  }
  if (core_ == nullptr) return false;
  const patience none{.block = false};
  core_->lock.lock();
  result_ = way_ == direction::send ? core_->send_locked(element, none)
                                    : core_->receive_locked(element, none);
  return result_ != transfer::would_block;
}

[[gnu::noinline]] bool coroutine_transfer::suspend(std::coroutine_handle<> h, void* element) {
  wait_.expect(h);
  interruption_point("suspension of a coroutine");
  if (!join(element)) {
    wait_.go_on();
    return false;
  }
  interruption_point("the rest after a suspension");  // not of it: it may have been resumed
  return true;
}

bool coroutine_transfer::join(void* element) noexcept {
  channel_core* signal = until_.done_core();
  if (core_ == nullptr) {
    nowhere.m.lock();
    if (wait_.join(nowhere.m, nowhere.list, nullptr, signal)) return true;
    result_ = transfer::cancelled;
    return false;
  }
  channel_core* first = core_;
  // One context's done() with another, or the same: a receive ends alike by either. Here both locks
  // are held, since a coroutine that stands in one queue may be gone; so in the order of addresses.
  if (first->signal && signal == first) signal = nullptr;
  if (first->signal && signal != nullptr && std::less<>()(signal, first)) std::swap(first, signal);
  channel_core& core = *first;
  wait_node* partner = nullptr;
  core.lock.lock();
  result_ = way_ == direction::send ? core.try_send_step(element, partner)
                                    : core.try_receive_step(element, partner);
  if (result_ != transfer::would_block) {
    core.lock.unlock();
    if (partner != nullptr) wake_node(*partner);
    return false;
  }
  core.report_operations();
  wait_list& queue = way_ == direction::send ? core.senders : core.receivers;
  if (wait_.join(core.lock, queue, element, signal)) return true;
  result_ = transfer::cancelled;
  return false;
}

transfer coroutine_transfer::finish() noexcept {
  switch (wait_.finish()) {
    case coroutine_wait::result::never_waited: break;
    case coroutine_wait::result::served: result_ = transfer::moved; break;
    case coroutine_wait::result::refused: result_ = transfer::closed; break;
    case coroutine_wait::result::cancelled: result_ = transfer::cancelled; break;
  }
  return result_;
}

// ---- handing over to an executor ----------------------------------------------------------------

namespace {

/// The current task, or thread, as long as it does not wait.
[[nodiscard]] const void* strand_here() noexcept {
  static thread_local const char of_thread = 0;
  const task* const t = carrier::current_task();
  return t != nullptr ? static_cast<const void*>(t) : &of_thread;
}

}  // namespace

/// Shared by the resumption, the awaiter, and who hands over. The first change of `state` decides
/// what is done with `waiting`, whose expect() needs exactly one answer.
struct resumption::handover {
  enum : int { begun, suspended, called, dropped, abandoned };
  std::atomic<int> state{begun};
  std::atomic<int> holders{3};
  const void* const by = strand_here();  // who hands it over
  bool goes_on = false;                  // called by whom it was handed over; only they look at it
  std::coroutine_handle<> h;
  suspension waiting;

  int change(int to) noexcept {
    // Ordering: acq_rel; each side sees what the other did before its change.
    return state.exchange(to, std::memory_order_acq_rel);
  }
  void release() noexcept {
    // Ordering: acq_rel; every holder's last use happens before the end.
    if (holders.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
};

void resumption::resume(handover* shared) {
  const int before = shared->change(handover::called);
  const bool gone = before == handover::abandoned;
  const bool here = before == handover::begun && shared->by == strand_here();
  if (here) shared->goes_on = true;
  const std::coroutine_handle<> h = shared->h;
  if (!gone) shared->waiting.forget();
  shared->release();
  if (!gone && !here) h.resume();
}

void resumption::drop(handover* shared) noexcept {
  // If it is still being handed over, whoever does that finds it.
  if (shared->change(handover::dropped) == handover::suspended) shared->waiting.wake();
  shared->release();
}

handover_wait::~handover_wait() {
  if (shared_ == nullptr) return;
  switch (shared_->change(resumption::handover::abandoned)) {
    case resumption::handover::dropped: shared_->waiting.withdraw(); break;
    default: shared_->waiting.forget(); break;
  }
  shared_->release();
}

resumption::handover* handover_wait::begin(std::coroutine_handle<> h) {
  auto made = std::make_unique<resumption::handover>();
  made->h = h;
  made->waiting.expect(h);
  shared_ = made.release();
  return shared_;
}

void handover_wait::give_up(resumption::handover* shared) noexcept {
  shared->waiting.forget();
  shared_ = nullptr;
  shared->release();
  shared->release();
}

bool handover_wait::handed_over(resumption::handover* shared) noexcept {
  int found = resumption::handover::begun;
  // Ordering: acq_rel; as change(). acquire if somebody was first.
  const bool suspended = shared->state.compare_exchange_strong(
      found, resumption::handover::suspended, std::memory_order_acq_rel, std::memory_order_acquire);
  const bool dropped = !suspended && found == resumption::handover::dropped;
  if (dropped) shared->waiting.forget();
  const bool goes_on = dropped || (!suspended && shared->goes_on);
  shared->release();
  return !goes_on;
}

void handover_wait::finish() {
  resumption::handover* shared = std::exchange(shared_, nullptr);
  // Ordering: acquire; pairs with change().
  const bool dropped =
      shared->state.load(std::memory_order_acquire) == resumption::handover::dropped;
  shared->release();
  if (dropped) {
    throw std::system_error(errc::dropped, "weir: what was to resume a coroutine was dropped");
  }
}

}  // namespace weir::detail
