// SPDX-License-Identifier: MIT
#pragma once
// The monitor: one thread a process, which looks after carriers that are stuck in one task while
// work waits behind them and no carrier is idle to take it. Such a carrier loses its right to run
// to another thread (Go's sysmon does the same): at once, more or less, if its thread sleeps in the
// kernel, in a call that nobody announced; after `long_ns` if it computes.
//
// It starts on first need, sleeps without a timeout when no runtime needs it, and looks every one
// to eight milliseconds otherwise. It also prints the list of tasks for a signal (weir/debug.hpp).

#include <atomic>
#include <cstdint>

#include "runtime/clock.hpp"
#include "runtime/registry.hpp"

namespace weir::detail {

class monitor {
 public:
  static constexpr time_ns blocked_ns = 500'000;  // stuck so long, asleep in the kernel: blocked
  static constexpr time_ns long_ns = 10'000'000;  // stuck so long: in any case
  static constexpr time_ns look_first_ns = 1'000'000;
  static constexpr time_ns look_max_ns = 8'000'000;

  /// Never destroyed.
  static monitor& instance() noexcept;
  /// A runtime has asked to be looked after.
  /// False if the system has no thread for it.
  bool rouse() noexcept;
  /// Starts the thread, if it is not there; false if the system has none.
  bool start() noexcept;
  /// Has the list of tasks printed to stderr. May be called in a signal handler, after start().
  void request_dump() noexcept;
  /// In a forked child, where it has no thread.
  void in_child() noexcept;
  /// Threads: 1 while it sleeps without a timeout, for the deadlock check.
  [[nodiscard]] int sleeping_threads() const noexcept {
    // Ordering: relaxed; the caller compares counts of what has happened before and after.
    return asleep_.load(std::memory_order_relaxed) ? 1 : 0;
  }

 private:
  void main() noexcept;
  /// Looks at every runtime; when to look next.
  [[nodiscard]] time_ns look(time_ns last_period) noexcept;

  registry::kept_runtimes room_;          // of look(); its thread's only
  std::atomic<std::uint32_t> wanted_{0};  // `look` and `dump`; it sleeps on this
  std::atomic<bool> started_{false};
  std::atomic<bool> asleep_{false};
};

}  // namespace weir::detail
