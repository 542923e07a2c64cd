// SPDX-License-Identifier: MIT
// The scheduler under a director: see director.hpp.
#include "runtime/director.hpp"

#include "runtime/runtime_core.hpp"
#include "weir/detail/interruption.hpp"

namespace weir::detail {

std::atomic<bool> any_directed{false};

void interrupt_directed(const char* before) {
  if (carrier::current_task() == nullptr) return;
  carrier* here = carrier::current();
  if (here->rt.directed_by != nullptr) here->interrupt_current(before);
}

void carrier::interrupt_current(const char* before) {
  if (decide_interrupt(before)) yield_interrupted();
}

bool carrier::decide_interrupt(const char* before) {
  const unseen guard;
  director& d = *rt.directed_by;
  d.step();
  if (d.over()) {
    base_wanted_ = true;
    return true;
  }
  const std::size_t others = lane.count();
  const time_ns due = rt.timers->next_due();
  const bool time_may_pass = due < end_of_time;
  if (others == 0 && !time_may_pass) return false;
  const std::size_t chosen = d.interrupt(*running_, before, others, time_may_pass);
  if (chosen == 0) return false;
  if (chosen > others) {
    d.time_passes();
    rt.clock.advance_to(due);
    base_wanted_ = true;
  } else {
    forced_ = lane.take(static_cast<std::uint32_t>(chosen - 1));
    d.switched_to(*forced_);
  }
  return true;
}

task* carrier::next_directed() {
  if (task* t = forced_) {
    forced_ = nullptr;
    return t;
  }
  const unseen guard;
  director& d = *rt.directed_by;
  if (base_wanted_ || has_mail() || d.over() || rt.timers->next_due() <= rt.clock.now()) {
    return nullptr;
  }
  const std::uint32_t ready = lane.count();
  if (ready == 0) return nullptr;
  d.step();
  const std::size_t chosen = ready == 1 ? 0 : d.next(ready);
  task* t = lane.take(static_cast<std::uint32_t>(chosen));
  if (chosen != 0) d.switched_to(*t);
  return t;
}

std::uint32_t carrier::random_below(std::uint32_t n) {
  if (rt.directed_by == nullptr) return random.below(n);
  const unseen guard;
  return rt.directed_by->draw(n);
}

bool runtime_core::let_time_pass() noexcept {
  // What waits for the end of time waits, on any clock, until something else happens.
  const time_ns due = timers->next_due();
  if (due >= end_of_time) return false;
  if (directed_by != nullptr) {
    const unseen guard;
    directed_by->time_passes();
  }
  clock.advance_to(due);
  return true;
}

}  // namespace weir::detail
