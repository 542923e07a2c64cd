// SPDX-License-Identifier: MIT
#pragma once
// A pool's figures as OpenMetrics text (version 1.0), which Prometheus and its kin read.
//
//   weir::write_openmetrics(out, p, "downloads");   // weir_pool_jobs_done_total{pool="downlo…
//
// Counters for each end of a job, gauges for what is now, and, for a pool with .timings that has
// had a job, summaries of waiting and running times in seconds. Ends with "# EOF": to put several
// pools into one answer write them with one call. Bytes of a name that are no UTF-8 become U+FFFD.
// Cost: one look at stats(); nothing while nobody asks.

#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

#include "pool.hpp"

namespace weir {

/// One pool's figures and the name that they are to have.
struct named_pool_figures {
  std::string name;
  pool_stats stats;
  pool_timings timings;
};

void write_openmetrics(std::ostream& out, const std::vector<named_pool_figures>& pools);

inline void write_openmetrics(std::ostream& out, const detail::pool_base& p, std::string name) {
  write_openmetrics(out, {{std::move(name), p.stats(), p.timings()}});
}

}  // namespace weir
