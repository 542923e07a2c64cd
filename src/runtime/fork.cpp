// SPDX-License-Identifier: MIT
#include <pthread.h>

#include <atomic>
#include <system_error>

#include "runtime/monitor.hpp"
#include "runtime/process.hpp"
#include "runtime/runtime_core.hpp"

namespace weir::detail {

std::atomic<bool> forked_without_runtime{false};

namespace {

std::atomic<unsigned> generation{0};
std::atomic<bool> runtimes_made{false};

void in_child() {
  // Ordering: relaxed; a forked child has one thread.
  generation.fetch_add(1, std::memory_order_relaxed);
  forked_without_runtime.store(runtimes_made.load(std::memory_order_relaxed),
                               std::memory_order_relaxed);
  registry::instance().in_child();
  monitor::instance().in_child();
  // In a task: what is ready behind it is the parent's.
  if (carrier* const c = carrier::current()) c->call_to_base();
}
void before_fork() { registry::instance().before_fork(); }
void in_parent() { registry::instance().in_parent(); }

}  // namespace

void watch_forks() noexcept {
  static const int registered = pthread_atfork(before_fork, in_parent, in_child);
  (void)registered;
}

void note_first_runtime() noexcept {
  // Ordering: relaxed; a fork sees what its own thread has done, and of others what it may.
  runtimes_made.store(true, std::memory_order_relaxed);
}

unsigned fork_generation() noexcept {
  watch_forks();
  // Ordering: relaxed; changes only where there is one thread.
  return generation.load(std::memory_order_relaxed);
}

void throw_forked() {
  throw std::system_error(errc::forked, "weir: neither tasks nor waiting in a forked child");
}

}  // namespace weir::detail
