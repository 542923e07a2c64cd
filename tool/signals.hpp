// SPDX-License-Identifier: MIT
#pragma once
// Ctrl-C in stages: the first SIGINT, SIGTERM or SIGHUP stops the run and asks the children to end; the
// second, or the end of the grace period, kills them.

#include <atomic>
#include <chrono>
#include <thread>

#include <weir/context.hpp>

#include "child.hpp"
#include "spool.hpp"

namespace weir::tool {

/// Blocks these signals in this thread and all that it starts: before any is started. SIGPIPE is
/// ignored: a write says so.
void block_signals();

class signal_guard {
 public:
  signal_guard(weir::cancel_func cancel, running_children& children,
               std::chrono::milliseconds grace);
  ~signal_guard();
  signal_guard(const signal_guard&) = delete;
  signal_guard& operator=(const signal_guard&) = delete;

  /// Ends the run from inside, as a signal would, but kills at once. For lost output.
  void stop_now();
  /// The signal that came, 0 for none.
  [[nodiscard]] int received() const noexcept;
  /// Readable when the run is to end.
  [[nodiscard]] int stop_fd() const noexcept { return stop_.get(); }

 private:
  void watch();
  void announce_stop() noexcept;

  weir::cancel_func cancel_;
  running_children& children_;
  const std::chrono::milliseconds grace_;
  unique_fd stop_;
  std::atomic<int> received_{0};
  std::atomic<bool> over_{false};
  std::thread thread_;
};

}  // namespace weir::tool
