// SPDX-License-Identifier: MIT
// advise_bench [rounds]: the curve behind advise(): jobs that compute from 10 ns to 1 ms, and some
// that wait; what one takes in a loop, in the pool that advise() tried, and as a task each. All
// three are measured by one call, one after the other; medians of so many calls.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>
#include <weir/advise.hpp>
#include <weir/weir.hpp>

#include "program/program.hpp"

namespace {

using namespace std::chrono_literals;

/// Arithmetic of so many rounds, of some nanoseconds each.
void compute(int rounds) {
  volatile unsigned x = 1;
  for (int i = 0; i < rounds; ++i) x = x * 1664525U + 1013904223U;
}

struct figures {
  std::vector<double> job, loop, pool, tasks, batch;
};

const char* name_of(weir::way best) {
  switch (best) {
    case weir::way::inline_loop: return "loop";
    case weir::way::pool: return "pool";
    case weir::way::task_each: return "a task each";
  }
  return "?";
}

template <class F>
void line(const char* kind, int rounds, F job) {
  figures all;
  std::vector<weir::way> best;
  std::vector<double> workers;
  for (int r = 0; r < rounds; ++r) {
    const weir::advice a = weir::advise(job);
    all.job.push_back(a.wall.count());
    all.loop.push_back(a.in_loop.count());
    all.pool.push_back(a.in_pool.count());
    all.tasks.push_back(a.in_tasks.count());
    all.batch.push_back(static_cast<double>(a.batch));
    workers.push_back(a.workers);
    best.push_back(a.best);
  }
  std::ranges::sort(best);
  std::printf("| %s | %.0f | %.0f | %.0f | %.0f | %s | %.0f | %.0f |\n", kind,
              bench::median(all.job), bench::median(all.loop), bench::median(all.pool),
              bench::median(all.tasks), name_of(best[best.size() / 2]), bench::median(workers),
              bench::median(all.batch));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(std::atoi(argv[1]), 1) : 5;
  std::printf("| job | ns | in a loop | in a pool | a task each | advice | workers | batch |\n");
  std::printf("| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: |\n");
  for (const int n : {10, 30, 100, 300, 1'000, 3'000, 10'000, 100'000, 1'000'000}) {
    line("computes", rounds, [=] { compute(n); });
  }
  line("waits 100 µs", rounds, [] { weir::sleep_for(100us); });
  line("waits 1 ms", rounds, [] { weir::sleep_for(1ms); });
}
