// SPDX-License-Identifier: MIT
#include "runtime/resumer.hpp"

#include <mutex>
#include <utility>

#include "runtime/parking.hpp"
#include "weir/go.hpp"
#include "weir/runtime.hpp"

namespace weir::detail {
namespace {
constexpr wait_kind runner_wait{"wait for coroutines", "suspended"};
}

// ---- suspension ---------------------------------------------------------------------------------

void suspension::expect(std::coroutine_handle<> h, runtime* where) {
  refuse_if_forked();
  handle_ = h;
  by_ = &(where != nullptr ? where->core() : runtime_core::current()).coroutines;
  by_->expect();
}

void suspension::wake() noexcept { by_->wake(*this); }
void suspension::forget() noexcept { by_->forget(); }
void suspension::withdraw() noexcept { by_->withdraw(*this); }

// ---- from outside -------------------------------------------------------------------------------

void resumer::expect() {
  std::unique_lock lock(m_);
  suspended_ += 1;
  while (parked_ == nullptr && coming_ <= 0) {  // (keeps R1)
    if (starting_) {
      // It may fail: then it is our turn.
      lock.unlock();
      yield();
      lock.lock();
      continue;
    }
    starting_ = true;
    lock.unlock();
    try {
      start_runner();
    } catch (...) {
      lock.lock();
      starting_ = false;
      suspended_ -= 1;
      runner* over = take_all_if_over();
      lock.unlock();
      wake_runners(over);
      throw;
    }
    lock.lock();
    starting_ = false;
    coming_ += 1;  // it may have come already: then this makes up for its -1
  }
}

void resumer::wake(suspension& s) noexcept {
  runner* called = nullptr;
  {
    const std::lock_guard lock(m_);
    if (s.state_ == suspension::state::withdrawn) {
      s.state_ = suspension::state::returned;
      return;
    }
    push(s);
    if (coming_ <= 0) called = take_parked();  // (keeps R2)
  }
  // From here on s, and with it the last that keeps this runtime, may be gone, unless there is a
  // runner to be woken.
  wake_runners(called);
}

void resumer::forget() noexcept {
  runner* over = nullptr;
  {
    const std::lock_guard lock(m_);
    suspended_ -= 1;
    over = take_all_if_over();
  }
  wake_runners(over);
}

void resumer::withdraw(suspension& s) noexcept {
  std::unique_lock lock(m_);
  if (s.state_ == suspension::state::queued) {
    remove(s);
  } else {
    s.state_ = suspension::state::withdrawn;
    while (s.state_ != suspension::state::returned) {
      lock.unlock();
      yield();  // whoever has claimed its operation is about to wake it
      lock.lock();
    }
  }
  suspended_ -= 1;
  runner* over = take_all_if_over();
  lock.unlock();
  wake_runners(over);
}

// ---- runners ------------------------------------------------------------------------------------

void resumer::start_runner() {
  auto body = [this] { run(); };
  task* t = rt_.new_task("coroutines", body_ops_of<decltype(body)>, &body);
  carrier* c = carrier::current();
  if (c != nullptr && &c->rt == &rt_) {
    // Like something that is woken: it runs next, and the caller is not made to step back.
    c->started += 1;
    c->ready(t);
  } else {
    rt_.start(t);
  }
}

void resumer::run() {
  m_.lock();
  coming_ -= 1;
  for (int streak = 0;;) {
    if (first_ == nullptr) {
      if (!park_or_end()) break;
      streak = 0;
    } else if (streak == streak_max) {
      streak = 0;
      m_.unlock();
      yield();
      m_.lock();
    } else if (needs_another()) {
      provide_another();
    } else {
      ++streak;
      resume_first();
    }
  }
  m_.unlock();
}

/// m_ is held, but not while it runs.
void resumer::resume_first() {
  suspension& s = *first_;
  const std::coroutine_handle<> h = s.handle_;
  remove(s);
  suspended_ -= 1;
  running_ += 1;
  m_.unlock();
  h.resume();  // s is gone
  m_.lock();
  running_ -= 1;
}

/// The queue is empty. False if this runner is not needed any more; m_ is held, but not while it
/// parks.
bool resumer::park_or_end() {
  if (suspended_ == 0 && running_ == 0) {
    runner* over = take_all_if_over();
    m_.unlock();
    wake_runners(over);
    m_.lock();
    return false;
  }
  if (parked_count_ >= parked_max) return false;
  runner me{.who = strand::current(), .next = parked_};
  parked_ = &me;
  parked_count_ += 1;
  const auto waiting = static_cast<std::size_t>(suspended_);
  m_.unlock();
  interruption_point("park of a runner");
  me.who.park({.kind = &runner_wait, .amount = waiting});
  m_.lock();
  coming_ -= 1;
  return true;
}

/// Before a runner resumes the first in the queue: would the rest be left alone?
bool resumer::needs_another() const noexcept {
  if (coming_ > 0 || starting_) return false;
  if (parked_ == nullptr) return suspended_ > 1;  // (keeps R1)
  return first_->next_ != nullptr;                // (keeps R2)
}

/// m_ is held, but not all the time.
void resumer::provide_another() noexcept {
  if (runner* called = take_parked()) {
    m_.unlock();
    wake_runners(called);
    m_.lock();
    return;
  }
  starting_ = true;
  m_.unlock();
  bool started = true;
  try {
    start_runner();
  } catch (...) {
    started = false;
  }
  m_.lock();
  starting_ = false;
  if (started) {
    coming_ += 1;
  } else if (first_ != nullptr) {
    resume_first();  // without another: the rest waits for us
  }
}

resumer::runner* resumer::take_parked() noexcept {
  runner* r = parked_;
  if (r == nullptr) return nullptr;
  parked_ = std::exchange(r->next, nullptr);
  parked_count_ -= 1;
  coming_ += 1;
  return r;
}

/// Nothing is left that could be woken: those that are parked are to end.
resumer::runner* resumer::take_all_if_over() noexcept {
  if (suspended_ != 0 || running_ != 0) return nullptr;
  coming_ += std::exchange(parked_count_, 0);
  return std::exchange(parked_, nullptr);
}

void resumer::wake_runners(runner* first) noexcept {
  while (first != nullptr) {
    runner* next = first->next;  // read before the wake: it is on the runner's stack
    first->who.wake();
    first = next;
  }
}

// ---- the queue ----------------------------------------------------------------------------------

void resumer::push(suspension& s) noexcept {
  s.next_ = nullptr;
  s.prev_ = last_;
  (last_ != nullptr ? last_->next_ : first_) = &s;
  last_ = &s;
  s.state_ = suspension::state::queued;
}

void resumer::remove(suspension& s) noexcept {
  (s.prev_ != nullptr ? s.prev_->next_ : first_) = s.next_;
  (s.next_ != nullptr ? s.next_->prev_ : last_) = s.prev_;
  s.state_ = suspension::state::waits;
}

}  // namespace weir::detail
