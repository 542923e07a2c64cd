// SPDX-License-Identifier: MIT
#pragma once
// What Weir calls by itself, as a time has come or a context is done, runs as a task. A timer fires
// on a carrier's base, not in a task: where its runtime ends at the same time there is nobody to
// wait for, and what was started then would never run. So such a start and the end exclude each
// other (runtime_core::last_start).

#include <mutex>
#include <type_traits>

#include "runtime/carrier.hpp"
#include "runtime/runtime_core.hpp"
#include "weir/detail/spawn.hpp"

namespace weir::detail {

/// Starts f as a task of the current runtime. Whoever calls may hold a lock, and goes on in any
/// case: unlike go() this never lets others run first. False: the runtime ends, and nothing was
/// done. Throws what go() throws; f is then as it was.
template <class F>
[[nodiscard]] bool start_callback(F& f) {
  static_assert(std::is_nothrow_move_constructible_v<F>, "no code of users but in the task");
  runtime_core& rt = runtime_core::current();
  carrier* const here = carrier::current();
  if (here == nullptr) {
    F own = f;  // what throws may have taken it
    rt.start(rt.new_task("after_func", body_ops_of<F>, &own));
    return true;
  }
  const auto start = [&] { here->enlist(rt.new_task("after_func", body_ops_of<F>, &f)); };
  if (carrier::current_task() != nullptr) {
    start();
    interruption_point("the rest after go()");
    return true;
  }
  const std::lock_guard lock(rt.last_start);
  if (rt.stopping()) return false;
  start();
  return true;
}

}  // namespace weir::detail
