// SPDX-License-Identifier: MIT
#pragma once
// A carrier's own queue of ready tasks: one that runs next, and the rest in order. Its owner pays
// no atomic exchange; an outsider may take from it through the gate when the owner is stuck in one
// task.
//
// A task that keeps being woken into the runs-next place cannot keep the others waiting for ever:
// after `streak_max` in a row it goes to the end of the queue (Go shares a time slice instead).

#include <cstdint>

#include "runtime/gate.hpp"
#include "runtime/relaxed.hpp"
#include "runtime/sanitizer.hpp"
#include "runtime/task.hpp"

namespace weir::detail {

/// Tasks linked by next.
struct task_chain {
  task* first = nullptr;
  task* last = nullptr;
  std::uint32_t count = 0;

  void push_back(task* t) noexcept {
    t->next = nullptr;
    if (last != nullptr) {
      last->next = t;
    } else {
      first = t;
    }
    last = t;
    ++count;
  }
  void push_back(const task_chain& more) noexcept {
    if (more.count == 0) return;
    if (last != nullptr) {
      last->next = more.first;
    } else {
      first = more.first;
    }
    last = more.last;
    count += more.count;
  }
  [[nodiscard]] task* pop_front() noexcept {
    task* t = first;
    if (t != nullptr) {
      first = t->next;
      if (first == nullptr) last = nullptr;
      --count;
    }
    return t;
  }
};

class lane {
 public:
  /// Owner: t runs next; what was to run next goes to the end.
  void push_next(task* t) noexcept {
    gate_.enter();
    task* displaced = slot_;
    slot_ = t;
    if (displaced != nullptr) append(displaced);
    count_ += 1;
    gate_.leave();
  }
  /// Owner: t runs after all others.
  void push_back(task* t) noexcept {
    gate_.enter();
    append(t);
    count_ += 1;
    gate_.leave();
  }
  /// Owner: these run after all others.
  void push_all(task_chain tasks) noexcept {
    while (task* t = tasks.pop_front()) push_back(t);
  }
  /// Owner: the task to run, null if there is none.
  [[nodiscard]] WEIR_HOT task* pop() noexcept {
    if (count_ == 0) return nullptr;
    gate_.enter();
    task* t = slot_;
    if (t != nullptr) {
      slot_ = nullptr;
      const std::uint32_t streak = streak_ + 1;
      streak_ = streak;
      if (streak > streak_max && first_ != nullptr) [[unlikely]] {
        append(t);
        t = pop_first();
      }
    } else {
      t = pop_first();
    }
    if (t != nullptr) count_ -= 1;
    gate_.leave();
    return t;
  }
  /// Owner, under a director: the k-th of them, k < count(), in the order of pop().
  [[nodiscard]] task* take(std::uint32_t k) noexcept {
    gate_.enter();
    task* t = slot_;
    if (t != nullptr && k == 0) {
      slot_ = nullptr;
    } else {
      t = detach_at(t != nullptr ? k - 1 : k);
    }
    count_ -= 1;
    gate_.leave();
    return t;
  }
  /// Owner: half of them, rounded up, the ones that would wait longest excepted.
  [[nodiscard]] task_chain give_half() noexcept {
    gate_.enter();
    const task_chain taken = detach_half();
    gate_.leave();
    return taken;
  }
  /// Outsiders, one at a time: the same, or nothing if the owner is in the way.
  [[nodiscard]] task_chain raid() noexcept {
    if (!gate_.try_enter_outside()) return {};
    const task_chain taken = detach_half();
    gate_.leave_outside();
    return taken;
  }
  /// Outsiders: all of them, likewise.
  [[nodiscard]] task_chain raid_all() noexcept {
    if (!gate_.try_enter_outside()) return {};
    const task_chain taken = detach(count_);
    gate_.leave_outside();
    return taken;
  }
  /// Anybody: how many there are, more or less.
  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }

 private:
  static constexpr std::uint32_t streak_max = 32;

  void append(task* t) noexcept {
    t->next = nullptr;
    if (last_ != nullptr) {
      last_->next = t;
    } else {
      first_ = t;
    }
    last_ = t;
  }
  [[nodiscard]] task* detach_first() noexcept {
    task* t = first_;
    if (t != nullptr) {
      first_ = t->next;
      if (first_ == nullptr) last_ = nullptr;
    }
    return t;
  }
  [[nodiscard]] task* pop_first() noexcept {
    task* t = detach_first();
    streak_ = 0;
    __builtin_prefetch(first_);  // the header and what it would go on with: it may be cold
    return t;
  }
  [[nodiscard]] task* detach_at(std::uint32_t k) noexcept {
    if (k == 0) return detach_first();
    task* before = first_;
    for (; k > 1; --k) before = before->next;
    task* t = before->next;
    before->next = static_cast<task*>(t->next);
    if (before->next == nullptr) last_ = before;
    return t;
  }
  [[nodiscard]] task_chain detach_half() noexcept { return detach((count_ + 1) / 2); }
  [[nodiscard]] task_chain detach(std::uint32_t wanted) noexcept {
    task_chain taken;
    while (taken.count < wanted) {
      task* t = detach_first();
      if (t == nullptr) {
        t = slot_;
        slot_ = nullptr;
      }
      if (t == nullptr) break;
      taken.push_back(t);
    }
    count_ -= taken.count;
    return taken;
  }

  gate gate_;
  relaxed<task*> slot_{nullptr};
  relaxed<task*> first_{nullptr};
  relaxed<task*> last_{nullptr};
  relaxed<std::uint32_t> count_{0};
  relaxed<std::uint32_t> streak_{0};
};

}  // namespace weir::detail
