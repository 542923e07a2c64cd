// SPDX-License-Identifier: MIT
// The article's benchmark, all of tasks, and a further case, pool-ctx, in Weir's own idiom.
// `unbounded` is a task a job. `cancel` has `workers` waiters and `jobs` turns: its figure is the
// 99th percentile of the time from cancel() until the last of them runs again.
#include <weir/weir.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "seed/weir_pool.hpp"

namespace {

using namespace bench::seed;
using bench::clock_type;

/// The article's: all of them tasks.
struct tasks {
  weir::wait_group crew;
  template <class F>
  void start(F f) const {
    weir::go(std::move(f));
  }
  template <class F>
  void start_worker(F f) const {
    crew.go(std::move(f));
  }
  template <class F>
  void when_workers_end(F f) const {
    weir::go([crew = crew, f = std::move(f)] {
      crew.wait();
      f();
    });
  }
};

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
    return pool_of(mode, tasks{}, n, workers, depth);
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
  measure(p, n, [&](int jobs) { return round(mode, jobs, workers, depth); });
}
