// SPDX-License-Identifier: MIT
#pragma once
// How long a job waits where there is room for it.
//   start   load=50 job=20000 jobs=n           arrival to start, with workers busy so many percent
//   wake    workers=8 jobs=n pause=2000000     the same, for a pool that has been idle for so long
//   timers  workers=8 period=1000000 rounds=n  so many timers at once: how late each is
//   idle    workers=8 seconds=3                what a pool costs that has nothing to do
// Figures: p50, p99, p999 in ns; idle: cpu, microseconds of CPU a second, and switches, context
// switches a second.

#include <sys/resource.h>

#include <atomic>
#include <thread>
#include <vector>

#include "pool/arrivals.hpp"
#include "pool/cpus.hpp"
#include "pool/peer.hpp"

namespace bench {

/// Posts each job when it is due, whatever became of the earlier ones, and notes when it started.
template <class P>
std::vector<double> starts_of(P& peer, const std::vector<double>& due, std::uint64_t steps) {
  std::vector<double> starts(due.size());
  const auto begin = clock_type::now() + std::chrono::milliseconds(1);
  for (std::size_t i = 0; i < due.size(); ++i) {
    while (ns_between(begin, clock_type::now()) < due[i]) {
    }
    peer.post([&starts, i, begin, steps] {
      starts[i] = ns_between(begin, clock_type::now());
      tally::add(spin(steps));
    });
  }
  peer.wait();
  return starts;
}

/// The last CPU is for whoever makes the arrivals: it watches the clock without a pause, so that
/// the load is what it says. The pool has the others, a worker each.
template <class P>
void measure_start(program& p) {
  const auto job = p.count("job", 20'000);
  const auto jobs = p.count("jobs", 10'000);
  const auto load = p.count("load", 50);
  std::vector<int> cpus = usable_cpus();
  p.check(cpus.size() > 1, "needs two CPUs");
  const int mine = cpus.back();
  cpus.pop_back();
  const std::uint64_t steps = steps_for(job);
  // Before the pool exists: its threads inherit it, those that start in the warm-up as well.
  run_on(cpus);
  P peer(static_cast<int>(cpus.size()), from::outside);
  peer.begin();
  const auto due = poisson(jobs, load, job, cpus.size());
  for (int i = 0; i < 1000; ++i) peer.post([steps] { tally::add(spin(steps)); });
  if constexpr (!waits_once<P>) peer.wait();
  std::vector<double> starts;
  std::thread([&] {
    run_on({mine});
    starts = starts_of(peer, due, steps);
  }).join();
  p.check(tally::take() == spin(steps) * static_cast<std::uint64_t>(jobs + 1000),
          "jobs were lost or doubled");
  for (std::size_t i = 0; i < due.size(); ++i) starts[i] -= due[i];
  p.print(percentiles(std::move(starts)));
}

template <class P>
void measure_wake(program& p) {
  P peer(static_cast<int>(p.count("workers", 8)), from::outside);
  const auto jobs = p.count("jobs", 300);
  const std::chrono::nanoseconds pause(p.count("pause", 2'000'000));
  peer.begin();
  std::vector<double> samples;
  places one(1);  // who waits for the job sleeps: it must not be in the way of the pool's threads
  for (std::int64_t i = -jobs / 10; i < jobs; ++i) {
    std::this_thread::sleep_for(pause);
    one.take();
    clock_type::time_point started;
    const auto posted = clock_type::now();
    peer.post([&] {
      started = clock_type::now();
      one.give();
    });
    one.wait_for_all();
    if (i >= 0) samples.push_back(ns_between(posted, started));
  }
  peer.wait();
  p.check(samples.size() == static_cast<std::size_t>(jobs), "jobs were lost or doubled");
  p.print(percentiles(std::move(samples)));
}

/// So many jobs at once, each of which sleeps again and again.
template <class P>
void sleepers(P& peer, std::int64_t n, std::int64_t rounds, std::chrono::nanoseconds period,
              std::vector<double>& late) {
  for (std::int64_t t = 0; t < n; ++t) {
    peer.post([=, &late] {
      for (std::int64_t r = 0; r < rounds; ++r) {
        const auto due = clock_type::now() + period;
        P::sleep(period);
        late[static_cast<std::size_t>(t * rounds + r)] = ns_between(due, clock_type::now());
      }
    });
  }
}

template <class P>
void measure_timers(program& p) {
  const auto timers = p.count("workers", 8);
  const auto rounds = p.count("rounds", 200);
  const std::chrono::nanoseconds period(p.count("period", 1'000'000));
  P peer(static_cast<int>(timers), from::outside);
  const auto round = [&](std::int64_t n) {
    std::vector<double> late(static_cast<std::size_t>(timers * n), -1);
    peer.begin();
    if constexpr (has_timers<P>) {
      peer.timers(timers, n, period, late);
    } else {
      sleepers(peer, timers, n, period, late);
    }
    peer.wait();
    return late;
  };
  round(rounds / 10);
  auto late = round(rounds);
  p.check(*std::min_element(late.begin(), late.end()) >= 0, "a timer came early, or never");
  p.print(percentiles(std::move(late)));
}

struct consumption {
  double cpu_us;
  double switches;
  static consumption now() {
    rusage u{};
    getrusage(RUSAGE_SELF, &u);
    const auto us = [](const timeval& t) {
      return 1e6 * static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec);
    };
    return {us(u.ru_utime) + us(u.ru_stime), static_cast<double>(u.ru_nvcsw + u.ru_nivcsw)};
  }
};

template <class P>
void measure_idle(program& p) {
  P peer(static_cast<int>(p.count("workers", 8)), from::outside);
  const auto seconds = p.count("seconds", 3);
  peer.begin();
  constexpr std::int64_t warm = 10'000;
  std::atomic<std::int64_t> done{0};
  for (std::int64_t i = 0; i < warm; ++i) {
    // Ordering: relaxed; only counted, after the wait below.
    peer.post([&] { done.fetch_add(1, std::memory_order_relaxed); });
  }
  if constexpr (!waits_once<P>) peer.wait();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // until it has noticed
  const consumption before = consumption::now();
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  const consumption after = consumption::now();
  peer.wait();
  // Ordering: relaxed; wait() is after all jobs.
  p.check(done.load(std::memory_order_relaxed) == warm, "jobs were lost or doubled");
  const auto each = static_cast<double>(seconds);
  p.print({{"cpu", (after.cpu_us - before.cpu_us) / each},
           {"switches", (after.switches - before.switches) / each}});
}

}  // namespace bench
