// SPDX-License-Identifier: MIT
// seeing_bench [rounds]: what it costs a job that a pool is looked at. A pool of 2 runs jobs that
// do nothing, and jobs of some 10 µs, posted by a task; with nothing switched on, with each switch
// by itself, and with all. In turn, another first in each round: medians, and the median of the
// rounds' ratios to the plain pool.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>
#include <weir/trace.hpp>
#include <weir/weir.hpp>

#include "program/program.hpp"

namespace {

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

/// Its calls alone: what a tracer of one's own costs before it does anything.
struct silent_tracer final : weir::job_tracer {
  void ended(const weir::traced_job& /*j*/, weir::job_end /*end*/) noexcept override {}
};

struct variant {
  const char* name;
  weir::pool_options options;
};

std::vector<variant> variants() {
  const weir::pool_options plain{.workers = 2, .queue = 1024};
  const auto with = [&](auto change) {
    weir::pool_options o = plain;
    change(o);
    return o;
  };
  return {
      {"nothing", plain},
      {"`.timings`", with([](auto& o) { o.timings = true; })},
      {"`.stuck_after`", with([](auto& o) { o.stuck_after = 1s; })},
      {"`.tracer`, one that does nothing",
       with([](auto& o) { o.tracer = std::make_shared<silent_tracer>(); })},
      {"`.tracer`, `chrome_trace`",
       with([](auto& o) { o.tracer = std::make_shared<weir::chrome_trace>(); })},
      {"all of them", with([](auto& o) {
         o.timings = true;
         o.stuck_after = 1s;
         o.tracer = std::make_shared<weir::chrome_trace>();
       })},
  };
}

/// Arithmetic that takes so many rounds; not a look at the clock, which is what is measured here.
void compute(int rounds) {
  volatile unsigned x = 1;
  for (int i = 0; i < rounds; ++i) x = x * 1664525U + 1013904223U;
}

/// Nanoseconds a job, of so many.
double measure(const weir::pool_options& options, int jobs, int rounds_of_work) {
  const weir::pool p{options};
  const auto post = [&](int n) {
    for (int i = 0; i < n; ++i) p.post([=] { compute(rounds_of_work); });
    p.wait();
  };
  post(jobs / 10);
  const auto begin = clock_type::now();
  post(jobs);
  const double ns = std::chrono::duration<double, std::nano>(clock_type::now() - begin).count();
  if (p.stats().done != static_cast<std::uint64_t>(jobs + jobs / 10)) std::abort();
  return ns / jobs;
}

void compare(int rounds, int jobs, int rounds_of_work, const char* what) {
  const std::vector<variant> all = variants();
  std::vector<std::vector<double>> times(all.size());
  for (int r = 0; r < rounds; ++r) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      const std::size_t who = (i + static_cast<std::size_t>(r)) % all.size();
      times[who].push_back(measure(all[who].options, jobs, rounds_of_work));
    }
  }
  std::printf("\n| on, with jobs of %s | ns a job | more than plain | ratio |\n", what);
  std::printf("| --- | ---: | ---: | ---: |\n");
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::vector<double> ratios;
    std::vector<double> differences;
    for (std::size_t r = 0; r < times[i].size(); ++r) {
      ratios.push_back(times[i][r] / times[0][r]);
      differences.push_back(times[i][r] - times[0][r]);
    }
    std::printf("| %s | %.0f | %.0f | %.2f |\n", all[i].name, bench::median(times[i]),
                bench::median(differences), bench::median(ratios));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(std::atoi(argv[1]), 1) : 11;
  weir::run([=] {
    compare(rounds, 300'000, 0, "nothing");
    compare(rounds, 10'000, 8'000, "some 10 µs");
  });
}
