// SPDX-License-Identifier: MIT
// No pool and no queue: the jobs are known, and each of the threads does every n-th of them. It is
// what this machine can do at the time, which on a busy one is less than work / workers says.
#include <thread>
#include <vector>

#include "pool/grain.hpp"

namespace {

void compute(const bench::stream& s, int workers) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < workers; ++t) {
    threads.emplace_back([&s, t, workers] {
      for (std::int64_t i = t; i < s.jobs(); i += workers)
        bench::tally::add(bench::spin(s.steps(i)));
    });
  }
}

}  // namespace

int main(int argc, char** argv) {
  bench::program p{"split", argc, argv};
  if (!bench::stream::is(p.which()) || p.which() == "heavy_producer") p.unknown_case();
  const auto workers = static_cast<int>(p.count("workers", 2));
  (void)p.count("inside", 0);
  const bench::stream s(p.which(), p.count("jobs", 10'000), p.count("grain", 0));
  bench::measure_rounds(
      p, s, workers, [] {}, [&] { compute(s, workers); });
  return 0;
}
