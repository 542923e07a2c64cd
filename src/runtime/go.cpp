// SPDX-License-Identifier: MIT
#include "weir/go.hpp"

#include <sched.h>

#include <stdexcept>

#include "runtime/runtime_core.hpp"
#include "weir/error.hpp"
#include "weir/runtime.hpp"

namespace weir {
namespace detail {

void throw_empty_callable(const char* where) {
  throw std::invalid_argument(std::string("weir: ") + where + ": the function is empty");
}

void spawn(runtime* where, std::string_view name, const body_ops& ops, void* callable) {
  runtime_core& core = where != nullptr ? where->core() : runtime_core::current();
  core.start(core.new_task(name, ops, callable));
  interruption_point("the rest after go()");
}

namespace {

constexpr wait_kind run_wait{"run() on runtime"};
constexpr wait_kind sleep_wait{"sleep"};

enum run_case : int { ended, gone };

[[noreturn]] void throw_stopped() {
  throw std::system_error(errc::closed, "weir: run() on a runtime that has stopped");
}

/// In a task of another runtime, or where a virtual clock has its one carrier: an ordinary task
/// there, which this strand waits for.
void run_elsewhere(runtime_core& core, thunk body, void* argument) {
  const auto keep = core.immortal() ? nullptr : core.shared_from_this();
  operation op(true);
  op.who = strand::current();
  auto job = [&] {
    body(argument);
    const strand who = op.who;
    if (op.claim(ended)) who.wake();
  };
  core.start(core.new_task("run", body_ops_of<decltype(job)>, &job));
  wait_node node;
  node.op = &op;
  node.index = gone;
  if (!core.add_caller(node) && op.claim(gone)) throw_stopped();
  op.who.park({.kind = &run_wait, .object = &core});
  core.remove_caller(node);
  if (op.winner() == gone) throw_stopped();
}

}  // namespace

void run_as_task(runtime* where, thunk body, void* argument) {
  runtime_core& core = where != nullptr ? where->core() : runtime_core::current();
  if (carrier::current_task() != nullptr) {
    if (&carrier::current()->rt == &core) {
      body(argument);
    } else {
      run_elsewhere(core, body, argument);
    }
    return;
  }
  runtime_core::lending lending;
  auto job = [&] {
    body(argument);
    runtime_core::end_lending(lending);
  };
  switch (core.lend_thread(lending, core.new_task("main", body_ops_of<decltype(job)>, &job))) {
    case runtime_core::lent_how::until_the_end: break;
    case runtime_core::lent_how::not_at_all: run_elsewhere(core, body, argument); break;
    case runtime_core::lent_how::stopped: throw_stopped();
  }
}

std::chrono::steady_clock::time_point time_after(std::chrono::steady_clock::duration d) {
  const runtime_core* core = runtime_core::current_if_started();
  const time_ns now = core != nullptr ? core->clock.now() : steady_now();
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(time_plus(now, d.count())));
}

}  // namespace detail

void yield() {
  detail::refuse_if_forked();
  if (detail::carrier::current_task() != nullptr) {
    detail::carrier::current()->yield_current();
  } else {
    sched_yield();
  }
}

void sleep_until(std::chrono::steady_clock::time_point when) {
  using namespace detail;
  const time_ns at = when.time_since_epoch().count();
  operation op(true);
  op.who = strand::current();
  if (!op.who.is_task()) {
    // Nobody else knows of this operation: only the time can end it.
    while (steady_now() < at) (void)op.who.park_thread_until(at);
    return;
  }
  runtime_core& rt = carrier::current()->rt;
  if (at <= rt.clock.now()) return;
  wake_entry entry(op, 0);
  if (rt.timers->insert(entry, at) == timer_queue::added::first) rt.note_earlier_timer();
  op.who.park({.kind = &sleep_wait});
  // The entry has fired: remove() waits for the end of its fire().
  rt.timers->remove(entry);
}

namespace this_task {

std::uint64_t id() noexcept {
  const detail::task* t = detail::carrier::current_task();
  return t != nullptr ? std::uint64_t{t->id} : 0;
}

std::string name() {
  const detail::task* t = detail::carrier::current_task();
  return t != nullptr ? t->name : "";
}

}  // namespace this_task
}  // namespace weir
