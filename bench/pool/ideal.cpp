// SPDX-License-Identifier: MIT
// What jobs wait for each other where starting one costs nothing: the case start of latency.hpp,
// calculated.
#include <algorithm>
#include <vector>

#include "pool/arrivals.hpp"
#include "pool/cpus.hpp"
#include "program/program.hpp"

int main(int argc, char** argv) {
  bench::program p{"ideal", argc, argv};
  if (p.which() != "start") p.unknown_case();
  const auto job = p.count("job", 20'000);
  const auto jobs = p.count("jobs", 10'000);
  const auto cpus = bench::usable_cpus().size();
  p.check(cpus > 1, "needs two CPUs");
  const auto due = bench::poisson(jobs, p.count("load", 50), job, cpus - 1);
  std::vector<double> free_at(cpus - 1, 0.0);
  std::vector<double> waits;
  for (const double at : due) {
    double& worker = *std::min_element(free_at.begin(), free_at.end());
    const double start = std::max(at, worker);
    worker = start + static_cast<double>(job);
    waits.push_back(start - at);
  }
  p.print(bench::percentiles(std::move(waits)));
  return 0;
}
