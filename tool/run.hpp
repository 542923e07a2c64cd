// SPDX-License-Identifier: MIT
#pragma once
// `weir run`: a reader, a bounded channel of jobs, workers, a bounded channel of outcomes, a printer.
// The article's pool, with processes for jobs.

#include "options.hpp"

namespace weir::tool {

/// Runs to the end and gives the exit status. Throws user_error.
[[nodiscard]] int run(const run_options& options);

}  // namespace weir::tool
