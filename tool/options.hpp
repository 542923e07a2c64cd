// SPDX-License-Identifier: MIT
#pragma once
// The command line as types. Nothing behind parse_command_line() sees an argument of ours again.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace weir::tool {

enum class separator { newline, null };

struct run_options {
  /// Jobs at once: 1 to 65,536.
  int jobs = 1;
  /// What ends a record of the input.
  separator ends = separator::newline;
  /// No line for a failed job.
  bool quiet = false;
  /// A line of figures at the end.
  bool summary = false;
  /// How long a job may take to end after SIGTERM before it gets SIGKILL.
  std::chrono::milliseconds grace{2000};
  /// The command and its arguments as given, `{}` not yet replaced; never empty.
  std::vector<std::string> command;
};

struct command_line {
  /// What to run; empty when `text` is all that was asked for.
  std::optional<run_options> run;
  /// For standard output: help or version.
  std::string text;
};

/// Throws tool_error that names the option that is wrong.
[[nodiscard]] command_line parse_command_line(int argc, const char* const* argv);

}  // namespace weir::tool
