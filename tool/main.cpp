// SPDX-License-Identifier: MIT
// weir: a bounded worker pool for the command line. docs/tool.md is its manual.
#include <fmt/format.h>
#include <unistd.h>

#include "error.hpp"
#include "options.hpp"
#include "run/run.hpp"
#include "standard_streams.hpp"

namespace {

using namespace weir::tool;

int run_tool(int argc, char** argv) {
  open_standard_streams();
  const command_line line = parse_command_line(argc, argv);
  if (line.run) return run(*line.run);
  print_text(line.text);
  return status_ok;
}

/// The one place that prints what ends the tool. Where it cannot be printed, the status tells.
int report(const tool_error& error) {
  (void)write_all(STDERR_FILENO, fmt::format("weir: {}\n", printable(error.what())));
  return error.status();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_tool(argc, argv);
  } catch (...) {
    return report(caught());
  }
}
