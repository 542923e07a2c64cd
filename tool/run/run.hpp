// SPDX-License-Identifier: MIT
#pragma once
// `weir run`: a command for each record of standard input, several at a time.
//
//   reader --jobs--> workers --run()--> warden --outcome--> workers --results--> printer
//
// Both channels are bounded: input is read no faster than jobs are done, and jobs are started no
// faster than their output is printed.

#include "options.hpp"

namespace weir::tool {

/// Runs to the end; the exit status. Throws tool_error for what is not a job's fault.
[[nodiscard]] int run(const run_options& options);

}  // namespace weir::tool
