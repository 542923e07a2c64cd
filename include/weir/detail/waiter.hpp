// SPDX-License-Identifier: MIT
#pragma once
// The one idea of the sync room: a primitive knows only "here is a waiter, wake it". A strand is
// who waits (a task, an OS thread, or a coroutine), an operation is what it waits for, and a
// wait_node is that operation's entry in one primitive's queue. A plain receive has one node, a
// select has many.
//
// The life of an operation:
//   1. its strand links a node into the queue of each primitive, under that primitive's lock;
//   2. it parks; a coroutine suspends;
//   3. whoever can serve it takes a node out of a queue, under the lock, and claims the operation:
//      exactly one claim succeeds. The claimer moves the value, drops the lock, wakes the strand;
//   4. the strand takes its other nodes out, under each lock: after that nobody can touch them.
// A coroutine may be destroyed instead of woken. That is a claim, too: if it succeeds, step 4
// follows, and nobody wakes it. If somebody else was first, it waits for their wake-up, which then
// resumes nothing.
//
// Invariants
//   I1  a node is linked, or not, under its primitive's lock only.
//   I2  a strand is woken exactly once for each operation: by the claimer. (A coroutine that goes
//       by its own claim has nobody to wake.)
//   I3  a node is touched without the lock only by the claimer, between claim and wake, and by its
//       owner, before linking and after step 4.
// One node may stay for many operations, without step 4: sync/standing_wait.hpp.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "interruption.hpp"
#include "spin_lock.hpp"

namespace weir::detail {

struct task;       // the runtime room's
class suspension;  // a coroutine that waits

/// One way to wait. All of these are constants, so that a dump may read them at any time.
struct wait_kind {
  const char* verb;
  const char* measure = nullptr;  // what the amount of a wait_reason counts
};

/// What a parked strand tells a dump: "send on channel 0x… (cap 0)".
struct wait_reason {
  const wait_kind* kind;
  const void* object = nullptr;
  std::size_t amount = 0;
};

/// Who waits: the current task, the current OS thread, or a coroutine.
class strand {
 public:
  [[nodiscard]] static strand current();
  [[nodiscard]] static strand of(task& t) noexcept {
    strand s;
    s.task_ = &t;
    return s;
  }
  /// A coroutine, which does not park, but suspends.
  [[nodiscard]] static strand of(suspension& coroutine) noexcept;

  /// Blocks until wake(); returns at once if that has happened already. Called by the strand
  /// itself.
  void park(wait_reason why) const;
  /// Lets park() return. Called exactly once for each park(), by anyone.
  void wake() const;
  [[nodiscard]] bool is_task() const noexcept { return task_ != nullptr; }
  /// The task, null if it is a thread or a coroutine that waits.
  [[nodiscard]] task* waiting_task() const noexcept { return task_; }
  /// park() with a bound, for OS threads only. False when `nanoseconds_since_epoch` on the steady
  /// clock came first; a wake() may still be on its way then: claim the operation to find out.
  [[nodiscard]] bool park_thread_until(std::int64_t nanoseconds_since_epoch) const;

 private:
  static constexpr std::uintptr_t is_coroutine = 1;
  using thread_word = std::atomic<std::uint32_t>;  // 1 when woken
  [[nodiscard]] thread_word* word() const noexcept {
    return reinterpret_cast<thread_word*>(other_);
  }

  task* task_ = nullptr;
  // Without a task: a thread's word; or, with the lowest bit set, a suspension. In one word, so
  // that those who never meet a coroutine have nothing more to write.
  std::uintptr_t other_ = 0;
};

/// A pointer that belongs to the current task, or in a plain thread to it: null until it is set.
/// Take the reference anew after anything that may wait.
[[nodiscard]] void*& strand_local() noexcept;
/// How many bytes of stack are left here.
[[nodiscard]] std::size_t stack_left() noexcept;

/// One blocking operation. Lives where the strand that waits has its stack, or frame.
class operation {
 public:
  explicit operation(bool shared) noexcept : shared_(shared) {}

  /// Decides the operation in favour of case `index`; false if another case was first. With a
  /// single node the queue's lock has already decided, and no atomic exchange is needed.
  [[nodiscard]] bool claim(int index) noexcept {
    if (!shared_) {
      // Ordering: release; pairs with the acquire in winner(): the owner sees the value moved and
      // all that the claimer did before.
      winner_.store(index, std::memory_order_release);
      return true;
    }
    int undecided = -1;
    // Ordering: acq_rel on success, as above, and for arm(); relaxed on failure: the loser reads
    // nothing more.
    return winner_.compare_exchange_strong(undecided, index, std::memory_order_acq_rel,
                                           std::memory_order_relaxed);
  }
  /// To be claimed once more: by its owner, who has been woken for the last claim.
  void arm() noexcept {
    // Ordering: release; pairs with claim(). Whoever claims it may not have taken a lock that the
    // owner has held since it ran again, and must not find it parked as it was the last time.
    winner_.store(-1, std::memory_order_release);
  }
  /// The case that was claimed, -1 while undecided.
  [[nodiscard]] int winner() const noexcept {
    // Ordering: acquire; pairs with claim().
    return winner_.load(std::memory_order_acquire);
  }

  strand who;

 private:
  std::atomic<int> winner_{-1};
  bool shared_;
};

/// An operation's entry in one queue.
struct wait_node {
  wait_node* next = nullptr;
  wait_node* prev = nullptr;
  operation* op = nullptr;
  void* value = nullptr;    // sender: the element; receiver: the optional to fill
  std::int64_t weight = 0;  // semaphore: how much is wanted
  int index = 0;            // the case this node stands for
  bool linked = false;      // I1
  bool ok = false;          // set by the claimer: a value moved (as against: closed)
};

/// First come, first served.
class wait_list {
 public:
  [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }
  [[nodiscard]] wait_node* front() const noexcept { return head_; }
  void push_back(wait_node& n) noexcept {
    n.next = nullptr;
    n.prev = tail_;
    (tail_ != nullptr ? tail_->next : head_) = &n;
    tail_ = &n;
    n.linked = true;
  }
  void remove(wait_node& n) noexcept {
    (n.prev != nullptr ? n.prev->next : head_) = n.next;
    (n.next != nullptr ? n.next->prev : tail_) = n.prev;
    n.linked = false;
  }
  /// Takes out the first node; the list is not empty.
  wait_node& take_front() noexcept {
    wait_node& n = *head_;
    __builtin_prefetch(n.next);  // each is on a stack of its own
    remove(n);
    return n;
  }
  /// Takes out the first node whose operation can still be claimed, and claims it; null if none.
  [[nodiscard]] wait_node* claim_front() noexcept {
    while (head_ != nullptr) {
      wait_node& n = take_front();
      if (n.op->claim(n.index)) return &n;
    }
    return nullptr;
  }

 private:
  wait_node* head_ = nullptr;
  wait_node* tail_ = nullptr;
};

/// Claimed nodes that are to be woken once the lock is dropped; their strands are still parked, so
/// the nodes are ours until then (I3).
class wake_batch {
 public:
  [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }
  void add(wait_node& n) noexcept {
    n.next = nullptr;
    (tail_ != nullptr ? tail_->next : head_) = &n;
    tail_ = &n;
  }
  void wake_all() noexcept {
    if (!empty()) [[unlikely]]
      wake_each();
  }

 private:
  void wake_each() noexcept;
  wait_node* head_ = nullptr;
  wait_node* tail_ = nullptr;
};

}  // namespace weir::detail
