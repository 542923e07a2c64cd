// SPDX-License-Identifier: MIT
// The article's benchmark with Weir's channels and contexts between plain threads: no task.
#include <weir/weir.hpp>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "seed/weir_pool.hpp"

namespace {

struct threads {
  std::vector<std::jthread> others;
  std::vector<std::jthread> crew;
  template <class F>
  void start(F f) {
    others.emplace_back(std::move(f));
  }
  template <class F>
  void start_worker(F f) {
    crew.emplace_back(std::move(f));
  }
  template <class F>
  void when_workers_end(F f) {
    others.emplace_back([crew = std::move(crew), f = std::move(f)]() mutable {
      crew.clear();
      f();
    });
  }
};

}  // namespace

int main(int argc, char** argv) {
  bench::program p{"weir_threads", argc, argv};
  const std::string& mode = p.which();
  const int workers = static_cast<int>(p.count("workers", 8));
  const int depth = static_cast<int>(p.count("depth", 1024));
  const int n = static_cast<int>(p.count("jobs", 400'000));
  if (mode != "pool" && mode != "pool-ctx") p.unknown_case();
  bench::seed::measure(
      p, n, [&](int jobs) { return bench::seed::pool_of(mode, threads{}, jobs, workers, depth); });
}
