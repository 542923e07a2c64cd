// SPDX-License-Identifier: MIT
#pragma once
// The time of a job against the ideal, from jobs of nothing to jobs of a millisecond.
//   compute         grain=ns workers=2 inside=1 jobs=n rounds=n   jobs that compute
//   turns_heavy     workers=2 inside=1 jobs=n rounds=n   99 % of 100 ns, after that all of 100 us
//   mixture         the same                             100 ns, one in a hundred 100 us, at random
//   heavy_producer  the same                             100 ns; the producer computes 5 us each
//   wait            grain=ns workers=8 inside=1 jobs=n   jobs that sleep
// Figures: ns a job; slowdown, time / ideal, unless that is 0. The ideal is wait / workers, or work
// / workers at the speed that the CPUs have just then: it is looked at between the rounds, which
// have so many jobs each.

#include <array>
#include <cmath>
#include <numeric>
#include <thread>
#include <vector>

#include "pool/peer.hpp"
#include "pool/speed.hpp"

namespace bench {

/// A stream of jobs that compute, of two kinds.
class stream {
 public:
  stream(const std::string& which, std::int64_t jobs, std::int64_t grain)
      : heavy_(heavy_in(which)), jobs_(jobs) {
    const std::int64_t light = which == "compute" ? grain : 100;
    kinds_ = {kind_of(light), kind_of(heavy_ != heavy::none ? 100'000 : light)};
    if (which == "heavy_producer") between_ = kind_of(5'000);
    for (std::int64_t i = 0; i < jobs_; ++i) {
      const kind& k = of(i);
      sum_ += k.result;
      work_ += k.ns;
    }
  }

  [[nodiscard]] static bool is(const std::string& which) {
    return which == "compute" || which == "turns_heavy" || which == "mixture" ||
           which == "heavy_producer";
  }
  [[nodiscard]] std::int64_t jobs() const { return jobs_; }
  /// The steps of job i.
  [[nodiscard]] std::uint64_t steps(std::int64_t i) const { return of(i).steps; }
  /// What the producer computes before each job.
  void produce() const {
    if (between_.steps == 0) return;
    std::uint64_t x = spin(between_.steps);
    keep(x);
  }
  /// Of all jobs' results.
  [[nodiscard]] std::uint64_t sum() const { return sum_; }
  /// What the whole must take at least: its work on all workers, or the producer alone.
  [[nodiscard]] double ideal_ns(int workers) const {
    const double producer = between_.ns * static_cast<double>(jobs_);
    return std::max(producer, (producer + work_) / workers);
  }

 private:
  enum class heavy { none, last, scattered };  // which jobs are
  struct kind {
    double ns = 0;
    std::uint64_t steps = 0;
    std::uint64_t result = 0;
  };
  static heavy heavy_in(const std::string& which) {
    if (which == "turns_heavy") return heavy::last;
    return which == "mixture" ? heavy::scattered : heavy::none;
  }
  static kind kind_of(std::int64_t ns) {
    const auto steps = steps_for(ns);
    return {static_cast<double>(ns), steps, spin(steps)};
  }
  /// Scatters the numbers, the same way in each run.
  static std::uint64_t scattered(std::int64_t i) {
    auto x = static_cast<std::uint64_t>(i) * 0x9E3779B97F4A7C15U;
    return (x ^ (x >> 32)) * 0xD6E8FEB86659FD93U >> 32;
  }
  [[nodiscard]] const kind& of(std::int64_t i) const {
    if (heavy_ == heavy::last) return kinds_[i < jobs_ / 100 * 99 ? 0 : 1];
    if (heavy_ == heavy::scattered) return kinds_[scattered(i) % 100 == 0 ? 1 : 0];
    return kinds_[0];
  }

  heavy heavy_;
  std::int64_t jobs_;
  std::array<kind, 2> kinds_;
  kind between_;
  std::uint64_t sum_ = 0;
  double work_ = 0;
};

/// The slowdown is not finite where the ideal is nothing.
inline void print_against_ideal(const program& p, double ns, double slowdown) {
  std::vector<figure> figures{{"ns", ns}};
  if (std::isfinite(slowdown)) figures.emplace_back("slowdown", slowdown);
  p.print(figures);
}

/// So many rounds of prepare() and run(), which does all jobs of the stream, after one to warm up.
/// The figures are the medians of the rounds': one in which the machine was taken away says
/// nothing.
template <class Prepare, class Run>
void measure_rounds(program& p, const stream& s, int workers, Prepare prepare, Run run) {
  const auto rounds = p.count("rounds", 1);
  const auto jobs = static_cast<double>(s.jobs());
  const double ideal = s.ideal_ns(workers);
  const auto round = [&] {
    prepare();
    const double took = time_ns(run);
    p.check(tally::take() == s.sum(), "jobs were lost or doubled");
    return took;
  };
  round();
  std::vector<double> ns;
  std::vector<double> slowdown;
  double before = speed_of_cpus();
  for (std::int64_t i = 0; i < rounds; ++i) {
    const double took = round();
    const double after = speed_of_cpus();
    ns.push_back(took / jobs);
    slowdown.push_back(took / ideal * std::midpoint(before, after));
    before = after;
  }
  print_against_ideal(p, median(ns), median(slowdown));
}

template <class P>
void measure_compute(program& p) {
  const auto workers = static_cast<int>(p.count("workers", 2));
  const from where = where_of(p);
  const stream s(p.which(), p.count("jobs", 10'000), p.count("grain", 0));
  P peer(workers, where);
  const auto submit_all = [&] {
    for (std::int64_t i = 0; i < s.jobs(); ++i) {
      s.produce();
      peer.post([steps = s.steps(i)] { tally::add(spin(steps)); });
    }
  };
  measure_rounds(
      p, s, workers, [&] { peer.begin(); }, [&] { drive(peer, where, submit_all); });
}

template <class P>
void measure_wait(program& p) {
  const auto workers = static_cast<int>(p.count("workers", 8));
  const from where = where_of(p);
  const auto jobs = p.count("jobs", 1000);
  const std::chrono::nanoseconds wait(p.count("grain", 1'000'000));
  P peer(workers, where);
  const auto round = [&](std::int64_t n) {
    peer.begin();
    return time_ns([&] {
      drive(peer, where, [&] {
        for (std::int64_t i = 0; i < n; ++i) {
          peer.post([wait] {
            P::sleep(wait);
            tally::add(1);
          });
        }
      });
    });
  };
  round(jobs / 8);
  (void)tally::take();
  const double ns = round(jobs);
  p.check(tally::take() == static_cast<std::uint64_t>(jobs), "jobs were lost or doubled");
  const auto each = static_cast<double>(wait.count());
  const double a_job = ns / static_cast<double>(jobs);
  print_against_ideal(p, a_job, a_job * workers / each);
}

}  // namespace bench
