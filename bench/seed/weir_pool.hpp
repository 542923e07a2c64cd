// SPDX-License-Identifier: MIT
#pragma once
// The article's pool in Weir, part by part as in go_seed.go, and its workers in Weir's own idiom:
// receive(ctx) and send(ctx, v) instead of a select. Whatever they run as.

#include <weir/weir.hpp>

#include <cstdint>
#include <optional>
#include <string>

#include "program/program.hpp"

namespace bench::seed {

// Go's int has 64 bits: both programs move the same bytes, and a square fits.
using number = std::int64_t;
using channel = weir::channel<number>;

inline void worker(const weir::context& ctx, const channel& jobs, const channel& results) {
  bool over = false;
  const auto stop = [&] { over = true; };
  while (!over) {
    number job = 0;
    weir::select(weir::on_done(ctx, stop), weir::on_receive(jobs, [&](std::optional<number> j) {
                   if (j) {
                     job = *j;
                   } else {
                     over = true;
                   }
                 }));
    if (over) return;
    weir::select(weir::on_done(ctx, stop), weir::on_send(results, job * job));
  }
}

inline void worker_with_context(const weir::context& ctx, const channel& jobs,
                                const channel& results) {
  while (auto job = jobs.receive(ctx)) {
    if (!results.send(ctx, *job * *job)) return;
  }
}

// Unsigned, since sums may wrap: both programs wrap alike, and a lost job still shows.
inline std::uint64_t drain(const channel& results) {
  std::uint64_t sum = 0;
  for (const number v : results) sum += static_cast<std::uint64_t>(v);
  return sum;
}

/// `run_as` has start(f), start_worker(f), and when_workers_end(f), which does not wait for it.
template <class RunAs, class Worker>
std::uint64_t pool(RunAs&& run_as, int n, int workers, int depth, Worker work) {
  auto [ctx, cancel] = weir::with_cancel(weir::background());
  const channel jobs{depth};
  const channel results{depth};
  run_as.start([=] {
    for (number i = 1; i <= n; ++i) jobs.send(i);
    jobs.close();
  });
  for (int w = 0; w < workers; ++w) {
    run_as.start_worker([=, ctx = ctx] { work(ctx, jobs, results); });
  }
  run_as.when_workers_end([=] { results.close(); });
  return drain(results);
}

/// The case of that name.
template <class RunAs>
std::uint64_t pool_of(const std::string& which, RunAs&& run_as, int n, int workers, int depth) {
  if (which == "pool-ctx") return pool(run_as, n, workers, depth, worker_with_context);
  return pool(run_as, n, workers, depth, worker);
}

/// round(jobs) gives the sum of their squares.
template <class Round>
void measure(const program& p, int n, Round round) {
  round(n / 10);  // warm-up
  std::uint64_t sum = 0;
  const double ns = time_ns([&] { sum = round(n); });
  p.check(sum == sum_of_squares(n), "wrong sum: jobs were lost or doubled");
  p.print({{"ns", ns / n}});
}

}  // namespace bench::seed
