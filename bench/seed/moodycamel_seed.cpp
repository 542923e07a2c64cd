// SPDX-License-Identifier: MIT
// The article's benchmark with moodycamel's BlockingConcurrentQueue and threads. The queue has no
// bound, no close and no select: there is no backpressure, and a worker ends when it receives the
// number 0.
#include <concurrentqueue/blockingconcurrentqueue.h>

#include <cstdint>
#include <thread>
#include <vector>

#include "program/program.hpp"

namespace {

using number = std::int64_t;
using queue = moodycamel::BlockingConcurrentQueue<number>;

std::uint64_t pool(number n, std::int64_t workers, std::size_t depth) {
  queue jobs{depth};
  queue results{depth};
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    for (number i = 1; i <= n; ++i) jobs.enqueue(i);
    for (std::int64_t w = 0; w < workers; ++w) jobs.enqueue(0);
  });
  for (std::int64_t w = 0; w < workers; ++w) {
    threads.emplace_back([&] {
      for (number job = 0;;) {
        jobs.wait_dequeue(job);
        if (job == 0) return;
        results.enqueue(job * job);
      }
    });
  }
  std::uint64_t sum = 0;
  for (number i = 0; i < n; ++i) {
    number v = 0;
    results.wait_dequeue(v);
    sum += static_cast<std::uint64_t>(v);
  }
  for (std::thread& t : threads) t.join();
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program p{"moodycamel", argc, argv};
  const auto workers = p.count("workers", 8);
  const auto depth = static_cast<std::size_t>(p.count("depth", 1024));
  const number n = p.count("jobs", 1'000'000);
  if (p.which() != "pool") p.unknown_case();
  pool(n / 10, workers, depth);  // warm-up
  std::uint64_t sum = 0;
  const double ns = bench::time_ns([&] { sum = pool(n, workers, depth); });
  p.check(sum == bench::sum_of_squares(n), "wrong sum: jobs were lost or doubled");
  p.print({{"ns", ns / static_cast<double>(n)}});
}
