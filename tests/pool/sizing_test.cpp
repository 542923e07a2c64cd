// SPDX-License-Identifier: MIT
// The rule that finds the number of workers, on simulated work whose best number is known.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

#include "pool/sizing.hpp"

namespace {

using weir::detail::sizing;
using weir::detail::sizing_sample;

constexpr double cpus = 2;

/// Jobs of so many seconds of CPU and of waiting, at most `slots` of them in the waiting part.
struct load {
  double cpu;
  double wait;
  double slots = 1e9;

  [[nodiscard]] double rate(double workers) const {
    const double by_workers = workers / (cpu + wait);
    const double by_cpu = cpu > 0 ? cpus / cpu : 1e18;
    const double by_slots = wait > 0 ? slots / wait : 1e18;
    return std::min({by_workers, by_cpu, by_slots});
  }
};

class simulation {
 public:
  explicit simulation(int most) : sizing_(1, most, 2) {}

  /// Runs for a while; the counts that there were.
  std::vector<std::int64_t> run(const load& l, int windows, bool backlog = true) {
    std::vector<std::int64_t> counts;
    for (int i = 0; i < windows; ++i) {
      const double rate = l.rate(static_cast<double>(sizing_.count()));
      const double noise = std::uniform_real_distribution<>(0.97, 1.03)(random_);
      sizing_sample s{.seconds = 0.1, .completed = 0, .cpu_share = 0, .backlog = backlog};
      do {
        s.seconds += 0.1;
        s.completed = static_cast<std::int64_t>(rate * noise * s.seconds);
      } while (!sizing_.enough(s));
      s.cpu_share = std::min(rate * l.cpu / cpus, 1.0);
      counts.push_back(sizing_.decide(s));
    }
    return counts;
  }
  [[nodiscard]] std::int64_t count() const { return sizing_.count(); }

 private:
  sizing sizing_;
  std::mt19937 random_{1};
};

void expect_near_best(const std::vector<std::int64_t>& counts, const load& l, double best) {
  const std::size_t settled = counts.size() / 2;
  double sum = 0;
  for (std::size_t i = settled; i < counts.size(); ++i) {
    sum += l.rate(static_cast<double>(counts[i]));
  }
  EXPECT_GE(sum / static_cast<double>(counts.size() - settled), 0.9 * l.rate(best));
}

TEST(sizing_test, work_that_only_computes_gets_no_more_than_there_are_cpus) {
  simulation s(64);
  for (const auto n : s.run({.cpu = 0.001, .wait = 0}, 100)) EXPECT_EQ(n, 2);
}

TEST(sizing_test, work_that_only_waits_gets_all_within_ten_windows) {
  simulation s(64);
  s.run({.cpu = 0, .wait = 0.01}, 12);
  EXPECT_EQ(s.count(), 64);
}

TEST(sizing_test, a_mixture_gets_what_keeps_the_cpus_busy) {
  const load l{.cpu = 0.001, .wait = 0.009};
  simulation s(64);
  const auto counts = s.run(l, 60);
  expect_near_best(counts, l, 20);
  EXPECT_LE(counts.back(), 40);
}

TEST(sizing_test, a_service_with_few_places_is_not_crowded) {
  const load l{.cpu = 0, .wait = 0.01, .slots = 8};
  simulation s(64);
  const auto counts = s.run(l, 200);
  expect_near_best(counts, l, 8);
  const auto above =
      std::count_if(counts.begin() + 40, counts.end(), [](auto n) { return n > 10; });
  EXPECT_LE(above, 16) << "trials are rare once they have not paid";
}

TEST(sizing_test, a_change_of_phase_is_followed) {
  simulation s(64);
  s.run({.cpu = 0.001, .wait = 0}, 30);
  EXPECT_EQ(s.count(), 2);
  s.run({.cpu = 0, .wait = 0.01}, 15);
  EXPECT_EQ(s.count(), 64);
  const load mixed{.cpu = 0.002, .wait = 0.002};
  expect_near_best(s.run(mixed, 30), mixed, 4);
}

TEST(sizing_test, without_a_backlog_nothing_changes) {
  simulation s(64);
  for (const auto n : s.run({.cpu = 0, .wait = 0.01}, 30, false)) EXPECT_EQ(n, 2);
}

}  // namespace
