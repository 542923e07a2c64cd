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

/// Starts f as a task of the current runtime. False: that ends, and nothing was done. Throws what
/// go() throws; f is then as it was. Where it is moved from, that is under a lock.
template <class F>
[[nodiscard]] bool start_callback(F& f) {
  const carrier* const here = carrier::current();
  if (here == nullptr || carrier::current_task() != nullptr) {
    F own = f;  // what throws may have taken it
    spawn(nullptr, "after_func", body_ops_of<F>, &own);
    return true;
  }
  const std::lock_guard lock(here->rt.last_start);
  if (here->rt.stopping()) return false;
  spawn(nullptr, "after_func", body_ops_of<F>, &f);  // a carrier is there: only memory may be short
  return true;
}

}  // namespace weir::detail
