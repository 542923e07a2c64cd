// SPDX-License-Identifier: MIT
// goperf.dev's benchmark, see sha256.hpp, without a pool: a thread a core, each with its share of a
// list that is known. What the machine gives at the time.
#include <nettle/sha2.h>  // here as well, for the build to see
#include <atomic>

#include "sha256/sha256.hpp"

namespace {

using bench::hash;
using bench::work;

std::uint64_t split(const work& w) {
  const auto threads = static_cast<std::int64_t>(std::thread::hardware_concurrency());
  std::atomic<std::uint64_t> sum{0};
  std::vector<std::thread> crew;
  for (std::int64_t n = 0; n < threads; ++n) {
    crew.emplace_back([=, &sum] {
      std::uint64_t mine = 0;
      for (std::int64_t i = n * w.jobs / threads; i < (n + 1) * w.jobs / threads; ++i) {
        mine += hash(i, w.bytes);
      }
      sum += mine;
    });
  }
  for (std::thread& t : crew) t.join();
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  return bench::measure_sha256(
      "split", argc, argv,
      [](const std::string& which) -> bench::hash_all {
        return which == "split" ? split : nullptr;
      },
      [](auto f) { f(); });
}
