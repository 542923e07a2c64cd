// SPDX-License-Identifier: MIT
#pragma once
// How fast the machine's CPUs compute at the moment: what a time is compared with where they do not
// stay as fast as they were when steps_for() looked, since their clock or a neighbour changes.

#include <algorithm>
#include <array>
#include <barrier>
#include <cstddef>
#include <numeric>
#include <thread>
#include <vector>

#include "pool/cpus.hpp"
#include "pool/work.hpp"

namespace bench {

/// ns of work, by steps_for(), that a CPU gets done in a ns while all of them compute: 1 if nothing
/// has changed, and their mean if they differ. Takes 2 ms. The mean of many pieces, for the
/// kernel's ticks are a part of what there is; without those in which the CPU was taken away, which
/// say nothing about its speed.
inline double speed_of_cpus() {
  constexpr std::int64_t piece_ns = 100'000;
  constexpr std::size_t pieces = 20;
  const std::vector<int> cpus = usable_cpus();
  const std::uint64_t steps = steps_for(piece_ns);
  std::vector<double> speeds(cpus.size());
  std::barrier at_once(static_cast<std::ptrdiff_t>(cpus.size()));
  const auto measure = [&](std::size_t which) {
    run_on({cpus[which]});
    std::array<double, pieces> took{};
    at_once.arrive_and_wait();
    for (double& ns : took) ns = ns_to_spin(steps);
    std::sort(took.begin(), took.end());
    const auto last = std::upper_bound(took.begin(), took.end(), 1.5 * took[pieces / 2]);
    const double sum = std::reduce(took.begin(), last);
    speeds[which] = static_cast<double>(piece_ns * (last - took.begin())) / sum;
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < cpus.size(); ++i) threads.emplace_back(measure, i);
  }
  return std::reduce(speeds.begin(), speeds.end()) / static_cast<double>(cpus.size());
}

}  // namespace bench
