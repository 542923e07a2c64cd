// SPDX-License-Identifier: MIT
#include <sched.h>

#include <algorithm>

#include "port/futex.hpp"
#include "port/relax.hpp"
#include "port/stack_memory.hpp"
#include "runtime/deadlock.hpp"
#include "runtime/parking.hpp"
#include "runtime/runtime_core.hpp"
#include "runtime/yield_record.hpp"
#include "weir/detail/suspension.hpp"
#include "weir/detail/waiter.hpp"

namespace weir::detail {
namespace {

// What a parked thread's word says.
constexpr std::uint32_t waiting = 0;
constexpr std::uint32_t was_woken = 1;
constexpr std::uint32_t sleeping = 2;

thread_local void* thread_local_slot = nullptr;

// Lives as long as its thread; a late futex_wake on it is harmless.
thread_local std::atomic<std::uint32_t> my_word{waiting};

constinit thread_local yield_record yields;

[[nodiscard]] bool is_woken(const std::atomic<std::uint32_t>& word) {
  // Ordering: acquire; pairs with wake().
  return word.load(std::memory_order_acquire) == was_woken;
}

/// Sleeps until woken, known to the registry: dumps show it, and the last to sleep notices.
void sleep_until_woken(std::atomic<std::uint32_t>& word, const wait_reason& why) {
  thread_wait entry{why, &word, sleeping, this_thread_id(), steady_now()};
  registry::instance().add(entry);
  for (time_ns patience = deadlock_patience_ns;;) {
    port::futex_wait(word, sleeping, steady_now() + patience);
    if (is_woken(word)) break;
    if (steady_now() < entry.since + patience) continue;
    check_deadlock(0);
    patience = std::min(patience * 2, deadlock_patience_max_ns);
  }
  registry::instance().remove(entry);
}

[[nodiscard]] bool is_woken_within(int looks, const std::atomic<std::uint32_t>& word) {
  while (!is_woken(word)) {
    if (looks-- == 0) return false;
    port::relax();
  }
  return true;
}

/// Lets others run, a few times, unless one of them computes.
[[nodiscard]] bool is_woken_by_neighbours(const std::atomic<std::uint32_t>& word) {
  constexpr int turns = 8;
  const time_ns since = steady_now();
  time_ns took = 0;
  bool paid = false;
  for (int i = 0; i < turns && !paid && took < yield_record::slice_ns; ++i) {
    sched_yield();
    paid = is_woken(word);
    took = steady_now() - since;
  }
  yields.learn(paid, took);
  return paid;
}

/// Before it sleeps: the answer may be on its way. With a deadline it may be the time that is
/// waited for, and nobody's turn may make it late.
[[nodiscard]] bool is_woken_soon(const std::atomic<std::uint32_t>& word, time_ns deadline) {
  constexpr int first_looks = 16;
  constexpr int more_looks = 34;  // with those a microsecond or two
  if (is_woken_within(first_looks, word)) return true;
  return deadline == never && yields.is_worth_a_try() ? is_woken_by_neighbours(word)
                                                      : is_woken_within(more_looks, word);
}

bool park_thread(std::atomic<std::uint32_t>& word, time_ns deadline, const wait_reason& why) {
  if (is_woken_soon(word, deadline)) return true;
  std::uint32_t expected = waiting;
  // Ordering: acquire in both cases; pairs with wake(), which may have come first.
  if (!word.compare_exchange_strong(expected, sleeping, std::memory_order_acquire,
                                    std::memory_order_acquire) &&
      expected == was_woken) {
    return true;
  }
  if (deadline == never) {
    sleep_until_woken(word, why);
    return true;
  }
  for (;;) {
    port::futex_wait(word, sleeping, deadline);
    if (is_woken(word)) return true;
    if (steady_now() >= deadline) return false;
  }
}

}  // namespace

strand strand::current() {
  refuse_if_forked();
  strand s;
  s.task_ = carrier::current_task();
  if (s.task_ == nullptr) {
    s.other_ = reinterpret_cast<std::uintptr_t>(&my_word);
    // Ordering: relaxed; published by the lock under which the operation's node is linked.
    my_word.store(waiting, std::memory_order_relaxed);
  }
  return s;
}

void wake_batch::wake_each() noexcept {
  for (wait_node* n = head_; n != nullptr;) {
    wait_node* following = n->next;  // read before the wake: n's stack may be gone after it
    wake_node(*n);
    n = following;
  }
  head_ = tail_ = nullptr;
}

void*& strand_local() noexcept {
  task* const t = carrier::current_task();
  return t != nullptr ? t->local : thread_local_slot;
}

std::size_t stack_left() noexcept {
  const task* const t = carrier::current_task();
  static thread_local const std::byte* const threads_own = port::thread_stack_bottom();
  const std::byte* const bottom = t != nullptr ? t->stack : threads_own;
  const auto* here = static_cast<const std::byte*>(__builtin_frame_address(0));
  return here > bottom ? static_cast<std::size_t>(here - bottom) : 0;
}

strand strand::of(suspension& coroutine) noexcept {
  strand s;
  static_assert(alignof(suspension) > is_coroutine);
  s.other_ = reinterpret_cast<std::uintptr_t>(&coroutine) | is_coroutine;
  return s;
}

void strand::park(wait_reason why) const {
  if (task_ != nullptr) {
    carrier::current()->park_current(why);
    ordered_after(task_);
  } else {
    (void)park_thread(*word(), never, why);
  }
}

bool strand::park_thread_until(std::int64_t deadline) const {
  // (It has no reason to give: only waits without a time are known to the registry.)
  return park_thread(*word(), std::min(deadline, end_of_time), {.kind = nullptr});
}

void strand::wake() const {
  if (task* t = task_) {
    ordered_before(t);
    carrier* c = carrier::current();
    if (c != nullptr && &c->rt == t->rt) {
      c->ready(t);
    } else {
      t->rt->inject(t);
    }
    return;
  }
  if ((other_ & is_coroutine) != 0) {
    reinterpret_cast<suspension*>(other_ & ~is_coroutine)->wake();
    return;
  }
  thread_word* const word = this->word();  // *this may be gone after the exchange
  // Ordering: release; pairs with park_thread(): the thread sees what was done for it.
  if (word->exchange(was_woken, std::memory_order_release) == sleeping) port::futex_wake(word);
}

}  // namespace weir::detail
