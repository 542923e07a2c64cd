// SPDX-License-Identifier: MIT
#pragma once
// A task's entry in a context's queue that stays there between its waits. A worker waits thousands
// of times for one context, each time beside something else; to join that queue and to leave it
// again, each under a lock, is a twelfth of what such a job costs. So a task that has done so often
// enough leaves an entry there, until it ends, or has waited as often for another context.
//
// The entry belongs to one operation, which lasts as long, and is armed again for each wait. Until
// then it stays claimed, and the context, which may be done at any time, cannot claim it.
//
//     standing_wait* const s = standing_wait::of(who, signal);  // null: join, and leave
//     if (!s->begin()) …                                        // the context is done
//     … link a node with s->op, park, and see what has claimed s->op
//
// Who waits does not take the context's lock, so against a cancel() at that time there is Dekker's
// handshake: the task arms, then looks whether the context is done; cancel() sets it done, then
// claims what is armed. A full barrier lies between the two steps of each: the task's is made by
// the other's process_barrier(), as in spin_lock. So one of the two sees the other.
//
// Invariants
//   S1  a signal has_standing before the first entry joins it, and for good, under its lock. Who
//       cancels finds that when it closes the signal, and has a process_barrier() before it claims.
//   S2  the entry is linked, or not, under the signal's lock only (I1), and taken out before the
//       task ends. It keeps the signal alive, not the context.
//   S3  only the task arms the operation, and not before it has been woken for the last claim.

#include <utility>

#include "port/barrier.hpp"
#include "runtime/task.hpp"
#include "sync/wait.hpp"
#include "weir/detail/channel_core.hpp"

namespace weir::detail {

class standing_wait final : public left_with_task {
 public:
  ~standing_wait() override;
  standing_wait(const standing_wait&) = delete;
  standing_wait& operator=(const standing_wait&) = delete;

  /// That of `who` for `signal`; null if there is none.
  [[nodiscard]] static standing_wait* of(const strand& who, const channel_core& signal) noexcept {
    task* const t = who.waiting_task();
    if (t == nullptr) return nullptr;
    auto* const s = static_cast<standing_wait*>(t->left);  // (nobody else leaves anything)
    return s != nullptr && s->signal_.get() == &signal ? s : nullptr;
  }

  /// Arms the operation. False if the signal is closed: then the task claims it itself, or, if that
  /// fails, somebody else has, whose wake() is on its way.
  [[nodiscard]] bool begin() noexcept {
    op.arm();
    port::light_barrier();  // (S1)
    return !signal_->is_closed();
  }

  /// `who` has waited for `signal` without one, and holds no lock. After enough times in a row it
  /// gets one.
  static void count(const strand& who, channel_core& signal) noexcept {
    task* const t = who.waiting_task();
    if (t == nullptr) return;
    if (std::exchange(t->waited_for, &signal) != &signal) t->waits_in_a_row = 0;
    if (++t->waits_in_a_row >= enough(*t)) [[unlikely]]
      stand(*t, signal);
  }

  operation op{true};

  /// A cancel() that finds one costs a barrier more: some microseconds, up to 30 on virtual
  /// machines; a wait saves 2 ns of each. (Tests set this. Under a director, who is to see them,
  /// the first wait is enough: it makes no difference then where a new context has its place.)
  static inline std::atomic<std::uint32_t> enough_waits{4096};

 private:
  standing_wait(task& t, channel_core& signal) noexcept;
  [[nodiscard]] static std::uint32_t enough(const task& t) noexcept;
  static void stand(task& t, channel_core& signal) noexcept;

  const ref<channel_core> signal_;
  wait_node node_;  // guarded by the signal's lock
};

}  // namespace weir::detail
