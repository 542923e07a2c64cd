// SPDX-License-Identifier: MIT
#pragma once
// spawn: starts a program at the price of a vfork, and tells at once if it could not be started.

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "run/command.hpp"
#include "run/signals.hpp"
#include "unique_fd.hpp"

namespace weir::tool {

/// The environment of the children: ours, with WEIR_JOB.
class child_environment {
 public:
  child_environment();
  /// The environment of job `number`, until the next call.
  [[nodiscard]] char** of_job(std::uint64_t number);

 private:
  std::vector<char> job_;         // "WEIR_JOB=17"
  std::vector<char*> variables_;  // the first is job_, the last is null
};

struct spawn_files {
  int in, out, err;
};

struct spawn_result {
  /// errno when the program could not be started, or 0.
  int error = 0;
  pid_t pid = -1;
  /// Readable when it has ended.
  unique_fd pidfd;
};

/// Starts programs for one thread, which must live as long as they: when it ends, by whatever cause
/// (kill -9 of the tool included), the kernel kills them.
/// A child leads a process group of its own, and has the signals and the limit of open files that
/// the tool was started with.
class spawner {
 public:
  /// `open_files`: the limit to give back to the children, when ours has been raised.
  spawner(const inherited_signals& signals, std::optional<rlimit> open_files);
  ~spawner();
  spawner(const spawner&) = delete;
  spawner& operator=(const spawner&) = delete;

  [[nodiscard]] spawn_result start(prepared_command& command, char** environment,
                                   spawn_files files);

 private:
  const inherited_signals signals_;
  const std::optional<rlimit> open_files_;
  void* stack_;  // the child's until it executes the program
};

}  // namespace weir::tool
