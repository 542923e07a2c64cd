// SPDX-License-Identifier: MIT
#pragma once
// printer: the only one that writes while jobs run. The output of a job comes as a whole: its
// standard output to ours, then its standard error to ours, then a line if it failed.

#include <cstdint>
#include <string_view>

#include "options.hpp"
#include "run/job.hpp"
#include "run/warden.hpp"

namespace weir::tool {

struct tally {
  std::uint64_t done = 0;     // ended by themselves, or could not be started
  std::uint64_t failed = 0;   // of them
  std::uint64_t stopped = 0;  // ended by us, when the run was stopped
};

class printer {
 public:
  printer(const run_options& options, warden& children)
      : quiet_(options.quiet), children_(children) {}

  /// Prints an outcome and counts it. A stream that cannot be written to stops the run: the warden
  /// knows why. Does not throw.
  void print(const outcome& job);
  [[nodiscard]] const tally& counted() const noexcept { return tally_; }

 private:
  void print_now(const outcome& job);
  void write(int fd, const spool& kept);
  void write_line(std::string_view line);
  void check(int fd, int error);

  const bool quiet_;
  warden& children_;
  tally tally_;
  bool broken_ = false;  // nothing can be printed any more
};

}  // namespace weir::tool
