// SPDX-License-Identifier: MIT
#include "run/printer.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "run/lent_thread.hpp"
#include "standard_streams.hpp"

namespace weir::tool {
namespace {

std::string why_failed(const outcome& job) {
  switch (job.how) {
    case ending::exited: return fmt::format("exit {}", job.code);
    case ending::killed: return fmt::format("killed by {}", signal_name(job.code));
    default: return job.why;
  }
}

}  // namespace

void printer::print(const outcome& job) {
  try {
    print_now(job);
  } catch (...) {  // short of memory; who prints goes on to take outcomes
    broken_ = true;
    children_.fail(caught());
  }
}

void printer::print_now(const outcome& job) {
  if (job.how == ending::not_run) return;
  if (job.how == ending::stopped) {
    ++tally_.stopped;  // half of an output is none
    return;
  }
  ++tally_.done;
  write(STDOUT_FILENO, job.out);
  write(STDERR_FILENO, job.err);
  if (!job.failed()) return;
  ++tally_.failed;
  if (quiet_) return;
  write_line(
      fmt::format("weir: job {} failed: {}: {}\n", job.number, why_failed(job), job.command));
}

void printer::write(int fd, const spool& kept) {
  if (kept.size() == 0 || broken_) return;
  const auto copy = [&] { return kept.copy_to(fd); };
  // Small output goes into a pipe that has room at once; for more, a thread is lent. Where none can
  // be had, everything waits for the reader of it: it could not go far without.
  const bool at_once = !kept.in_file() && writes_at_once(fd, kept.size());
  const std::optional<int> error = at_once ? copy() : on_lent_thread(copy);
  check(fd, error ? *error : copy());
}

void printer::write_line(std::string_view line) {
  if (!broken_) check(STDERR_FILENO, write_all(STDERR_FILENO, line));
}

void printer::check(int fd, int error) {
  if (error == 0) return;
  broken_ = true;
  if (error == EPIPE) {
    children_.stop(stop_cause::output_closed);
  } else {
    const std::string why = fmt::format("standard {}: {}", fd == STDOUT_FILENO ? "output" : "error",
                                        std::strerror(error));
    children_.fail(tool_error({"output", why, "Not everything has been printed"}));
  }
}

}  // namespace weir::tool
