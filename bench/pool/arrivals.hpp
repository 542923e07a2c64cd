// SPDX-License-Identifier: MIT
#pragma once
// When jobs arrive that know nothing of each other: the same times in each run, for each peer.

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace bench {

/// The times, in ns from the beginning, at which jobs of so many ns arrive at random, on average so
/// many that the workers are busy for `load` percent of their time.
inline std::vector<double> poisson(std::int64_t jobs, std::int64_t load, std::int64_t job_ns,
                                   std::size_t workers) {
  const double mean = static_cast<double>(job_ns) * 100 /
                      (static_cast<double>(load) * static_cast<double>(workers));
  std::mt19937_64 random(20'240'229);
  std::vector<double> due;
  double at = 0;
  for (std::int64_t i = 0; i < jobs; ++i) {
    // 53 bits: a double between 0 and 1, never 1.
    const double u = static_cast<double>(random() >> 11) * 0x1p-53;
    at += -mean * std::log1p(-u);
    due.push_back(at);
  }
  return due;
}

}  // namespace bench
