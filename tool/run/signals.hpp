// SPDX-License-Identifier: MIT
#pragma once
// Signals as events: blocked in every thread, and read from a descriptor instead.

#include <signal.h>

#include <string>

#include "unique_fd.hpp"

namespace weir::tool {

/// The signals that a program is given by who starts it: to be given to the children in turn.
struct inherited_signals {
  sigset_t blocked{};
  bool child_ignored = false;  // SIGCHLD
};

/// Blocks SIGINT, SIGTERM, SIGHUP and SIGTSTP, unless they were ignored, and those that only say
/// what write() says, too. Make it before the first thread: threads inherit what is blocked.
/// SIGCHLD is not ignored any more: the kernel would throw away how the children end. Where there
/// is a terminal it is an event, too, for the kernel stops the children that use it.
class signal_events {
 public:
  signal_events();
  /// As give_back().
  ~signal_events() { give_back(); }
  signal_events(const signal_events&) = delete;
  signal_events& operator=(const signal_events&) = delete;

  /// Readable when a signal has come.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  /// The next signal that has come, 0 if there is none.
  [[nodiscard]] int next() const noexcept;
  /// Nobody takes signals from here any more: lets them do their usual work in the calling thread,
  /// those that write() reports excepted.
  void give_back() const noexcept;
  /// As it was before: for the children.
  [[nodiscard]] const inherited_signals& before() const noexcept { return before_; }

 private:
  inherited_signals before_;
  sigset_t taken_{};  // what this has blocked and next() gives
  unique_fd fd_;
};

/// Lets SIGTSTP do its work on this process; returns when it has been continued.
void suspend_self();

/// "SIGINT", "SIGKILL"…
[[nodiscard]] std::string signal_name(int number);

}  // namespace weir::tool
