// SPDX-License-Identifier: MIT
#pragma once
// What Weir calls by itself, as a time has come or a context is done, runs as a task. A timer fires
// on a carrier's base, not in a task: where its runtime ends at the same time there is nobody to
// wait for, and what was started then would never run. So such a start and the end exclude each
// other (runtime_core::last_start).

#include <mutex>

#include "runtime/carrier.hpp"
#include "runtime/runtime_core.hpp"
#include "weir/detail/spawn.hpp"

namespace weir::detail {

/// Starts f, which it moves from, as a task of the current runtime. False: that ends, and nothing
/// was done. Throws what go() throws; f is then as it was. F's move is called under a lock.
template <class F>
[[nodiscard]] bool start_callback(F& f) {
  const auto start = [&] { spawn(nullptr, "after_func", body_ops_of<F>, &f); };
  const carrier* const here = carrier::current();
  if (here == nullptr || carrier::current_task() != nullptr) {
    start();  // which may switch
    return true;
  }
  const std::lock_guard lock(here->rt.last_start);
  if (here->rt.stopping()) return false;
  start();
  return true;
}

}  // namespace weir::detail
