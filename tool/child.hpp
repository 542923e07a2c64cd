// SPDX-License-Identifier: MIT
#pragma once
// One job: its child process, what it printed, and how it ended.

#include <sys/types.h>

#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "spool.hpp"

namespace weir::tool {

struct job {
  std::uint64_t number = 0;  // from 1, in the order of the input
  std::string record;
};

struct outcome {
  std::uint64_t number = 0;
  std::string problem;  // why it failed; empty when it succeeded
  bool stopped = false;  // because we were told to stop
  std::string command;   // as it was run, for messages
  spool out;
  spool err;
};

/// The process groups that run now. Thread-safe.
class running_children {
 public:
  /// Sends a signal to every group; from then on also to each that is added.
  void signal_all(int signal) noexcept;
  /// Tells of a new child; true if it has been signalled at once.
  void add(pid_t group);
  /// Before the child is reaped, so that its number cannot be another's.
  void remove(pid_t group) noexcept;

 private:
  std::mutex m_;  // guards the rest
  std::set<pid_t> groups_;
  int signal_ = 0;
};

/// The command with each {} replaced by the record; without any, the record is added.
[[nodiscard]] std::vector<std::string> arguments_for(const std::vector<std::string>& command,
                                                     const std::string& record);

/// Runs the job to its end, on the calling thread. It ends when its process does: output of processes
/// that it leaves behind is not waited for.
[[nodiscard]] outcome run_child(const job& j, const std::vector<std::string>& command,
                                running_children& running);

/// Throws user_error with the shell's status 126 or 127 if the command can never be started.
void check_command(const std::string& name);

}  // namespace weir::tool
