// SPDX-License-Identifier: MIT
#pragma once
// A task: a stack, and at its very top this header. Made and recycled by stack_pool, switched to
// and from by carrier.
//
// Who may touch what
//   context, next, home      the carrier that runs or holds the task
//   parked                   written by the carrier that the task left, read by whoever wakes it
//   all else                 constant while the task lives
//
// A task that waits is in nobody's hands but of the one who claims its operation (waiter.hpp, I2).
// That one may find it still on its way off its stack; `parked` says when it is off.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "runtime/relaxed.hpp"
#include "runtime/sanitizer.hpp"
#include "weir/detail/spawn.hpp"
#include "weir/detail/waiter.hpp"

namespace weir::detail {

class carrier;
class runtime_core;

struct task {
  static constexpr std::size_t name_size = 32;

  relaxed<void*> context{nullptr};  // Boost.Context's, while switched out
  relaxed<task*> next{nullptr};     // in a lane, an inbox, or among the free stacks
  relaxed<carrier*> home{nullptr};  // where it runs, or ran last
  std::atomic<bool> parked{true};   // off its stack: may be resumed anywhere
  runtime_core* rt = nullptr;
  void* body = nullptr;
  const body_ops* ops = nullptr;
  bool body_on_heap = false;
  std::uint64_t id = 0;
  std::byte* stack = nullptr;  // lowest address: the guard page
  std::size_t stack_size = 0;
  relaxed<const char*> wait_verb{nullptr};
  relaxed<const void*> wait_object{nullptr};
  stack_shadow shadow;
  char name[name_size] = {};
};

}  // namespace weir::detail
