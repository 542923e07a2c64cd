// SPDX-License-Identifier: MIT
#pragma once
// Options as a pool uses them: looked through, and with the defaults that depend on the machine.

#include "weir/pool_options.hpp"

namespace weir::detail {

/// The options; throws std::invalid_argument that names what is out of range, and the remedy.
[[nodiscard]] pool_options checked(pool_options options);
/// A job's options against the pool's; throws std::invalid_argument.
void check_job(const job_options& job, const pool_options& pool);
/// How many workers to begin with; throws std::invalid_argument.
[[nodiscard]] int first_workers(worker_count n);
/// The wait before the attempt after `made`; `random` is in [0, 1).
[[nodiscard]] std::chrono::nanoseconds retry_delay(const retry_policy& policy, int made,
                                                   double random);

}  // namespace weir::detail
