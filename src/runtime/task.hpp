// SPDX-License-Identifier: MIT
#pragma once
// A task: a stack, and at its very top this header. Made and recycled by stack_pool, switched to
// and from by carrier.
//
// Who may touch what
//   context, next, home      the carrier that runs or holds the task
//   parked                   written by the carrier that the task left, read by whoever wakes it
//   local, left, and the two below it     the task itself
//   all else                 constant while the task lives
//
// A task that waits is in nobody's hands but of the one who claims its operation (waiter.hpp, I2).
// That one may find it still on its way off its stack; `parked` says when it is off.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "runtime/clock.hpp"
#include "runtime/relaxed.hpp"
#include "runtime/sanitizer.hpp"
#include "weir/detail/spawn.hpp"
#include "weir/detail/waiter.hpp"

namespace weir::detail {

class carrier;
class runtime_core;

/// What a room above leaves with a task, until that ends.
class left_with_task {
 public:
  left_with_task() = default;
  left_with_task(const left_with_task&) = delete;
  left_with_task& operator=(const left_with_task&) = delete;
  virtual ~left_with_task() = default;
};

struct task {
  static constexpr std::size_t name_size = 32;

  relaxed<void*> context{nullptr};  // Boost.Context's, while switched out
  relaxed<task*> next{nullptr};     // in a lane, an inbox, or among the free stacks
  relaxed<carrier*> home{nullptr};  // where it runs, or ran last
  std::atomic<bool> parked{true};   // off its stack: may be resumed anywhere
  bool body_on_heap = false;
  // Under a director: stopped between joining a queue and parking, and woken there.
  relaxed<bool> interrupted{false};
  relaxed<bool> woken_early{false};
  relaxed<bool> alive{false};  // started and not ended
  runtime_core* rt = nullptr;
  void* body = nullptr;
  const body_ops* ops = nullptr;
  relaxed<std::uint64_t> id{0};
  std::byte* stack = nullptr;  // lowest address: the guard page
  std::size_t stack_size = 0;
  // For dumps, which read them at any time: what it waits for (null kind: it does not), and since
  // about when.
  relaxed<const wait_kind*> waits{nullptr};
  relaxed<const void*> wait_object{nullptr};
  relaxed<std::size_t> wait_amount{0};
  relaxed<time_ns> wait_since{0};
  void* local = nullptr;             // strand_local(): the task's own
  left_with_task* left = nullptr;    // owned
  const void* waited_for = nullptr;  // sync/standing_wait.hpp's: for which context it was, the last
  std::uint32_t waits_in_a_row = 0;  // times, and how often
  stack_shadow shadow;
  char name[name_size] = {};
};

#if !defined(WEIR_TSAN) && !defined(WEIR_ASAN)
// Each new task touches all of it, on a stack that is cold: three cache lines.
static_assert(sizeof(task) <= std::size_t{3} * 64);
#endif

}  // namespace weir::detail
