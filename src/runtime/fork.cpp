// SPDX-License-Identifier: MIT
#include <pthread.h>

#include <atomic>
#include <system_error>

#include "runtime/process.hpp"
#include "runtime/runtime_core.hpp"

namespace weir::detail {

std::atomic<bool> forked_without_runtime{false};

namespace {

std::atomic<unsigned> generation{0};

void in_child() {
  // Ordering: relaxed; a forked child has one thread.
  generation.fetch_add(1, std::memory_order_relaxed);
  forked_without_runtime.store(true, std::memory_order_relaxed);
  registry::instance().in_child();
}
void before_fork() { registry::instance().before_fork(); }
void in_parent() { registry::instance().in_parent(); }

}  // namespace

unsigned fork_generation() noexcept {
  // Asked for by the first runtime: a process without one may fork as it likes.
  static const int registered = pthread_atfork(before_fork, in_parent, in_child);
  (void)registered;
  // Ordering: relaxed; changes only where there is one thread.
  return generation.load(std::memory_order_relaxed);
}

void throw_forked() {
  throw std::system_error(errc::forked, "weir: cannot wait in a forked child");
}

}  // namespace weir::detail
