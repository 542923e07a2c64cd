// SPDX-License-Identifier: MIT
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>

#include "runtime/runtime_core.hpp"

namespace weir::detail {
namespace {

std::atomic<runtime_core*> to_stop{nullptr};
thread_local bool ends_here = false;

void stop_now() noexcept {
  ends_here = true;
  // Ordering: acquire; pairs with stop_at_process_end(). Only the first call finds it.
  runtime_core* core = to_stop.exchange(nullptr, std::memory_order_acquire);
  if (core == nullptr || fork_generation() != core->generation()) return;
  core->stop();
  // A carrier that is inside a task's own code stops when that comes back to us, if ever, and so
  // does a thread in blocking(): what computes, or is in the kernel, cannot be stopped from
  // outside. So the wait is bounded; usually it is microseconds.
  const auto bound = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
  if (core->wait_for_carriers(bound)) {
    core->join();
  } else {
    core->let_go();
  }
  (void)core->wait_for_calls(bound);
}

/// The destructors of the main thread's thread-locals are the first thing that exit() runs, ahead
/// of every static object's, whatever the order in which those were made.
struct main_thread_end {
  ~main_thread_end() {
    if (getpid() == gettid()) stop_now();
  }
  void touch() noexcept {}
};
thread_local main_thread_end at_end;

[[gnu::constructor]] void watch_main_thread() { at_end.touch(); }

/// The same on any other thread that runs users' code.
struct user_thread_end {
  bool inside = false;
  ~user_thread_end() {
    if (inside) stop_now();
  }
};

}  // namespace

bool& exit_watch::inside() noexcept {
  thread_local user_thread_end at_its_end;
  return at_its_end.inside;
}

[[gnu::noinline]] bool process_ends_here() noexcept { return ends_here; }

void stop_at_process_end(runtime_core& core) {
  // Ordering: release; pairs with stop_now().
  to_stop.store(&core, std::memory_order_release);
  // For an exit() on a thread that Weir does not know, or a main thread that had no chance to
  // construct at_end.
  std::atexit(stop_now);
}

}  // namespace weir::detail
