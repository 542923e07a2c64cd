// SPDX-License-Identifier: MIT
#pragma once
// tool_error: what ends the tool with a message. main() prints it, as
// `weir: <what>: <why>. <remedy>`, and exits with its status.

#include <stdexcept>
#include <string>
#include <string_view>

namespace weir::tool {

/// Exit statuses other than the number of failed jobs; docs/tool.md has the whole table.
enum exit_status : int {
  status_ok = 0,
  status_most_failures = 101,  // more than 100 jobs failed
  status_error = 125,          // the tool itself: usage, disk full, unreadable input
  status_not_executable = 126,
  status_not_found = 127,
  status_signal = 128,  // plus the number of the signal
};

struct error_text {
  std::string_view what;
  std::string_view why;
  std::string_view remedy;
};

class tool_error : public std::runtime_error {
 public:
  explicit tool_error(error_text text, int status = status_error)
      : std::runtime_error(joined(text)), status_(status) {}
  [[nodiscard]] int status() const noexcept { return status_; }

 private:
  static std::string joined(error_text text) {
    std::string all(text.what);
    all.append(": ").append(text.why).append(".");
    if (!text.remedy.empty()) all.append(" ").append(text.remedy).append(".");
    return all;
  }
  int status_;
};

/// The exception that is being handled, as one that says what and why; for a catch (...).
[[nodiscard]] tool_error caught();

/// Text for a terminal: control characters are shown as `?`, those beyond ASCII as well.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace weir::tool
