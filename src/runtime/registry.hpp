// SPDX-License-Identifier: MIT
#pragma once
// All runtimes, and all plain threads that wait for something of Weir's: for dumps, for the
// monitor, and to find out that everybody waits. Never destroyed.

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/clock.hpp"
#include "weir/detail/waiter.hpp"

namespace weir::detail {

class runtime_core;

/// A plain thread's wait without a deadline, on its stack while it sleeps.
struct thread_wait {
  wait_reason why;
  const std::atomic<std::uint32_t>* word;
  std::uint32_t asleep;  // what *word says while nobody has woken it
  pid_t thread;
  time_ns since;
  thread_wait* next = nullptr;
  thread_wait* prev = nullptr;
};

/// Where scripts/weir-gdb.py finds it; null before the first runtime.
extern class registry* registry_for_debuggers;

class registry {
 public:
  static registry& instance() noexcept;

  void add(runtime_core& core) noexcept;
  void remove(runtime_core& core) noexcept;
  void add(thread_wait& w) noexcept;
  void remove(thread_wait& w) noexcept;

  using kept_runtimes = std::vector<std::shared_ptr<runtime_core>>;
  /// f(runtime_core&) for each that is not about to be destroyed; it stays meanwhile. Who comes
  /// often brings an empty vector that it keeps: nothing is allocated then.
  template <class F>
  void for_each_runtime(F f, kept_runtimes&& room = {});
  template <class F>
  void for_each_thread(F f) {
    const std::lock_guard lock(m_);
    for (thread_wait* w = threads_; w != nullptr; w = w->next) f(*w);
  }
  /// How often a thread has begun to wait: if it has not changed, none has in between.
  [[nodiscard]] std::uint64_t thread_waits() {
    const std::lock_guard lock(m_);
    return thread_waits_;
  }

  // A fork comes when nobody is in here; in the child all runtimes have stopped.
  void before_fork() { m_.lock(); }
  void in_parent() { m_.unlock(); }
  void in_child() noexcept;

 private:
  std::mutex m_;  // guards all below, and the links
  runtime_core* runtimes_ = nullptr;
  thread_wait* threads_ = nullptr;
  std::uint64_t thread_waits_ = 0;
};

}  // namespace weir::detail
