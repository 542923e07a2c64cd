// SPDX-License-Identifier: MIT
// The article's benchmark: the program of go_seed.go, part by part, and a further case, pool-ctx,
// in Weir's own idiom: receive(ctx) and send(ctx, v) instead of a select. `unbounded` is a task a
// job. `cancel` has `workers` waiters and `jobs` turns: its figure is the 99th percentile of the
// time from cancel() until the last of them runs again.
#include <weir/weir.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "program/program.hpp"

namespace {

// Go's int has 64 bits: both programs move the same bytes, and a square fits.
using number = std::int64_t;
using channel = weir::channel<number>;
using bench::clock_type;

void worker(const weir::context& ctx, const channel& jobs, const channel& results) {
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

void worker_with_context(const weir::context& ctx, const channel& jobs, const channel& results) {
  while (auto job = jobs.receive(ctx)) {
    if (!results.send(ctx, *job * *job)) return;
  }
}

// Unsigned, since sums may wrap: both programs wrap alike, and a lost job still shows.
std::uint64_t drain(const channel& results) {
  std::uint64_t sum = 0;
  for (const number v : results) sum += static_cast<std::uint64_t>(v);
  return sum;
}

template <class Worker>
std::uint64_t pool(int n, int workers, int depth, Worker work) {
  auto [ctx, cancel] = weir::with_cancel(weir::background());
  const channel jobs{depth};
  const channel results{depth};
  weir::go([=] {
    for (number i = 1; i <= n; ++i) jobs.send(i);
    jobs.close();
  });
  const weir::wait_group crew;
  for (int w = 0; w < workers; ++w) {
    crew.go([=, ctx = ctx] { work(ctx, jobs, results); });
  }
  weir::go([=] {
    crew.wait();
    results.close();
  });
  return drain(results);
}

std::uint64_t unbounded(int n, int depth) {
  const channel results{depth};
  weir::go([=] {
    const weir::wait_group running;
    for (number i = 1; i <= n; ++i) {
      running.go([=] { results.send(i * i); });
    }
    running.wait();
    results.close();
  });
  return drain(results);
}

/// One turn: ns from cancel() to the last waiter's return.
double cancel_waiters(int waiters) {
  auto [ctx, cancel] = weir::with_cancel(weir::background());
  const channel never;
  std::atomic<int> there{0};
  std::atomic<int> back{0};
  clock_type::time_point last;
  const weir::wait_group all;
  for (int i = 0; i < waiters; ++i) {
    all.go([&, ctx = ctx, never] {
      ++there;
      (void)never.receive(ctx);
      if (++back == waiters) last = clock_type::now();
    });
  }
  while (there < waiters) weir::yield();
  weir::sleep_for(
      std::chrono::milliseconds(1));  // they have counted themselves just before they park
  const auto start = clock_type::now();
  cancel();
  all.wait();
  return bench::ns_between(start, last);
}

double cancel_latency(int turns, int waiters) {
  std::vector<double> ns;
  weir::run([&] {
    for (int i = 0; i < turns; ++i) ns.push_back(cancel_waiters(waiters));
  });
  std::sort(ns.begin(), ns.end());
  return bench::percentile(ns, 0.99);
}

std::uint64_t round(const std::string& mode, int n, int workers, int depth) {
  return weir::run([&]() -> std::uint64_t {
    if (mode == "unbounded") return unbounded(n, depth);
    if (mode == "pool-ctx") return pool(n, workers, depth, worker_with_context);
    return pool(n, workers, depth, worker);
  });
}

}  // namespace

int main(int argc, char** argv) {
  bench::program p{"weir", argc, argv};
  const std::string& mode = p.which();
  const int workers = static_cast<int>(p.count("workers", 8));
  const int depth = static_cast<int>(p.count("depth", 1024));
  const int n = static_cast<int>(p.count("jobs", 1'000'000));
  if (mode == "cancel") {
    (void)cancel_latency(n / 10 + 1, workers);  // warm-up
    p.print({{"ns", cancel_latency(n, workers)}});
    return 0;
  }
  if (mode != "pool" && mode != "pool-ctx" && mode != "unbounded") p.unknown_case();
  round(mode, n / 10, workers, depth);  // warm-up
  std::uint64_t sum = 0;
  const double ns = bench::time_ns([&] { sum = round(mode, n, workers, depth); });
  p.check(sum == bench::sum_of_squares(n), "wrong sum: jobs were lost or doubled");
  p.print({{"ns", ns / n}});
}
