// SPDX-License-Identifier: MIT
#pragma once
// The command of a run, and what becomes of it for one job.
//
//   command_template echo({"echo", "<{}>"});
//   prepared_command hello = echo.expand("hello world");      // echo '<hello world>'

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace weir::tool {

/// A program and its arguments, ready for execve().
struct prepared_command {
  /// The file to execute; empty when the program was not found, and `lookup_error` says why.
  std::string program;
  int lookup_error = 0;
  /// Every argument, each with its NUL.
  std::vector<char> text;
  /// One free place, then the arguments (pointers into `text`), then null. The free place is for
  /// the shell that runs a script without a `#!` line, as execvp() does.
  std::vector<char*> argv;
};

class command_template {
 public:
  /// `arguments` is the program and its arguments, with `{}` where the record goes; without any
  /// `{}` the record becomes the last argument. A program without `{}` is looked up here and now:
  /// throws tool_error with status 127 if it is not found, 126 if it cannot be executed.
  explicit command_template(std::vector<std::string> arguments);

  [[nodiscard]] prepared_command expand(std::string_view record) const;
  /// The command for people: quoted as for a shell, control characters replaced, not too long.
  [[nodiscard]] std::string describe(std::string_view record) const;

 private:
  std::vector<std::string> arguments_;
  std::string program_;  // the file, when it is the same for each job
};

}  // namespace weir::tool
