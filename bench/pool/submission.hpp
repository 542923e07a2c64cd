// SPDX-License-Identifier: MIT
#pragma once
// What it costs to submit an empty job to a pool, and to wait for all.
//   post    workers=8 producers=1 inside=0 jobs=n    for no result
//   submit  the same                                 each with a future, of which 1,000 are open
// inside=1: the producer runs where the peer's own jobs run. producers=4: that many plain threads.

#include <latch>
#include <thread>
#include <vector>

#include "pool/peer.hpp"

namespace bench {

template <class P>
void post_empty(P& peer, std::int64_t jobs) {
  for (std::int64_t i = 0; i < jobs; ++i) peer.post([] { tally::add(1); });
}

/// Futures in batches, as one uses them: a vector of them, then each one's get().
template <class P>
void submit_empty(P& peer, std::int64_t jobs) {
  constexpr std::int64_t batch = 1000;
  std::vector<decltype(peer.submit([] { return std::int64_t{}; }))> open;
  open.reserve(batch);
  std::uint64_t sum = 0;
  for (std::int64_t i = 0; i < jobs;) {
    for (const auto end = std::min(jobs, i + batch); i < end; ++i) {
      open.push_back(peer.submit([] { return std::int64_t{1}; }));
    }
    for (auto& f : open) sum += static_cast<std::uint64_t>(f.get());
    open.clear();
  }
  tally::add(sum);
}

/// The time of load() in each of so many threads, which start together, and of waiting for all.
template <class P, class Load>
double time_producers(P& peer, std::int64_t producers, Load load) {
  std::latch ready(producers);
  std::latch start(1);
  std::vector<std::jthread> threads;
  for (std::int64_t i = 0; i < producers; ++i) {
    threads.emplace_back([&] {
      ready.count_down();
      start.wait();
      load();
    });
  }
  ready.wait();
  return time_ns([&] {
    start.count_down();
    threads.clear();
    peer.wait();
  });
}

template <class P>
void measure_submission(program& p, bool with_future) {
  const auto workers = static_cast<int>(p.count("workers", 8));
  const auto producers = p.count("producers", 1);
  const from where = where_of(p);
  const auto jobs = p.count("jobs", 100'000) / producers * producers;
  P peer(workers, where);
  const auto load = [&](std::int64_t n) {
    if constexpr (has_submit<P>) {
      if (with_future) return submit_empty(peer, n);
    }
    post_empty(peer, n);
  };
  const auto round = [&](std::int64_t n) {
    peer.begin();
    if (producers > 1) return time_producers(peer, producers, [&] { load(n / producers); });
    return time_ns([&] { drive(peer, where, [&] { load(n); }); });
  };
  round(jobs / 4 / producers * producers);
  (void)tally::take();
  const double ns = round(jobs);
  p.check(tally::take() == static_cast<std::uint64_t>(jobs), "jobs were lost or doubled");
  p.print({{"ns", ns / static_cast<double>(jobs)}});
}

}  // namespace bench
