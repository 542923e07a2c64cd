// SPDX-License-Identifier: MIT
#include "weir/metrics.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ostream>
#include <string>

#include "pool/text.hpp"

namespace weir {
namespace {

using all_pools = std::vector<named_pool_figures>;

std::string escaped(const std::string& label) {
  std::string text;
  for (const char c : detail::valid_utf8(label)) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
  return text;
}

std::string label(const named_pool_figures& p) { return "pool=\"" + escaped(p.name) + '"'; }

/// With all digits, and, as integers here, whatever the locale is.
std::string number(double value) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), end};
}

/// One family: its head, and a line for each pool.
void family(std::string& out, const all_pools& pools, const std::string& name, const char* type,
            const std::string& help, std::uint64_t pool_stats::*field) {
  out += "# TYPE " + name + ' ' + type + "\n# HELP " + name + ' ' + help + '\n';
  const std::string suffix = std::string(type) == "counter" ? "_total" : "";
  for (const auto& p : pools) {
    out += name + suffix + '{' + label(p) + "} " + std::to_string(p.stats.*field) + '\n';
  }
}

void summary(std::string& out, const all_pools& pools, const std::string& name,
             const std::string& help, histogram pool_timings::*field) {
  const auto is_measured = [&](const auto& p) { return (p.timings.*field).count() > 0; };
  if (std::ranges::none_of(pools, is_measured)) return;
  out += "# TYPE " + name + " summary\n# UNIT " + name + " seconds\n# HELP " + name + ' ' + help +
         '\n';
  for (const auto& p : pools) {
    const histogram& h = p.timings.*field;
    if (!is_measured(p)) continue;
    for (const double q : {0.5, 0.9, 0.99, 0.999}) {
      const std::chrono::duration<double> seconds = h.quantile(q);
      out += name + '{' + label(p) + ",quantile=\"" + number(q) + "\"} " + number(seconds.count()) +
             '\n';
    }
    out += name + "_count{" + label(p) + "} " + std::to_string(h.count()) + '\n';
    out += name + "_sum{" + label(p) + "} " + number(h.sum()) + '\n';
  }
}

}  // namespace

void write_openmetrics(std::ostream& to, const all_pools& pools) {
  std::string out;
  const auto counter = [&](const char* name, const char* help, std::uint64_t pool_stats::*field) {
    family(out, pools, name, "counter", help, field);
  };
  const auto gauge = [&](const char* name, const char* help, std::uint64_t pool_stats::*field) {
    family(out, pools, name, "gauge", help, field);
  };
  counter("weir_pool_jobs_submitted", "Jobs that were offered.", &pool_stats::submitted);
  counter("weir_pool_jobs_done", "Jobs that returned.", &pool_stats::done);
  counter("weir_pool_jobs_failed", "Jobs that threw or were late.", &pool_stats::failed);
  counter("weir_pool_jobs_cancelled", "Jobs that were cancelled.", &pool_stats::cancelled);
  counter("weir_pool_jobs_rejected", "Jobs that were not taken.", &pool_stats::rejected);
  counter("weir_pool_jobs_dropped", "Jobs that a full queue dropped.", &pool_stats::dropped);
  counter("weir_pool_attempts_retried", "Attempts after the first.", &pool_stats::retried);
  gauge("weir_pool_jobs_running", "Jobs that run now.", &pool_stats::running);
  gauge("weir_pool_jobs_queued", "Jobs that wait now.", &pool_stats::depth);
  gauge("weir_pool_workers", "Workers that exist now.", &pool_stats::workers);
  gauge("weir_pool_workers_idle", "Workers that wait for a job now.", &pool_stats::idle);
  summary(out, pools, "weir_pool_wait_seconds", "How long jobs were queued.",
          &pool_timings::waiting);
  summary(out, pools, "weir_pool_run_seconds", "How long attempts ran.", &pool_timings::running);
  out += "# EOF\n";
  to.write(out.data(), static_cast<std::streamsize>(out.size()));
}

}  // namespace weir
