// SPDX-License-Identifier: MIT
#pragma once
// What flows through a run: a job in, an outcome out.

#include <cstdint>
#include <string>

#include "run/spool.hpp"

namespace weir::tool {

/// No argument longer than this can be given to a program: Linux's MAX_ARG_STRLEN, less the NUL.
inline constexpr std::size_t argument_bytes_max = 32 * 4096 - 1;

struct job {
  /// 1, 2, 3… in the order of the input.
  std::uint64_t number = 0;
  /// The record, without its end; at most argument_bytes_max of it.
  std::string record;
  /// How long the record was in the input.
  std::uint64_t length = 0;
};

enum class ending {
  exited,       ///< code is its exit status
  killed,       ///< code is the signal
  not_started,  ///< `why` says why
  given_up,     ///< likewise: we ended it, or cannot tell how it ended
  stopped,      ///< by us, or its output was cut off by us, as the run was stopped
  not_run,      ///< the run was stopped before its turn
};

struct outcome {
  std::uint64_t number = 0;
  ending how = ending::not_run;
  int code = 0;
  /// What it wrote to standard output and standard error.
  spool out, err;
  std::string why;
  /// The command, for people; filled in when it failed.
  std::string command;

  [[nodiscard]] bool failed() const noexcept {
    if (how == ending::not_run || how == ending::stopped) return false;
    return how != ending::exited || code != 0;
  }
};

}  // namespace weir::tool
