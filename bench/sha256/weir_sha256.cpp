// SPDX-License-Identifier: MIT
// goperf.dev's benchmark, see sha256.hpp. `channel` is the program of go_sha256.go, part by part;
// `batches` the same, 64 jobs at a time; `pool` and `for_each` are Weir's own words for it, a job a
// hash and again 64 at a time.
#include <nettle/sha2.h>  // here as well, for the build to see
#include <weir/weir.hpp>

#include <atomic>
#include <iterator>
#include <numeric>
#include <ranges>
#include <span>

#include "pool/work.hpp"
#include "sha256/sha256.hpp"

namespace {

using bench::hash;
using bench::work;

constexpr std::size_t batch = 64;

std::uint64_t with_channel(const work& w) {
  const weir::channel<std::int64_t> jobs(static_cast<std::size_t>(w.jobs));
  std::atomic<std::uint64_t> sum{0};
  const weir::wait_group crew;
  for (std::int64_t n = 0; n < w.workers; ++n) {
    crew.go([=, &sum] {
      std::uint64_t mine = 0;
      for (const std::int64_t job : jobs) mine += hash(job, w.bytes);
      sum += mine;
    });
  }
  for (std::int64_t i = 0; i < w.jobs; ++i) jobs.send(i);
  jobs.close();
  crew.wait();
  return sum;
}

std::uint64_t with_batches(const work& w) {
  const weir::channel<std::int64_t> jobs(static_cast<std::size_t>(w.jobs));
  std::atomic<std::uint64_t> sum{0};
  const weir::wait_group crew;
  for (std::int64_t n = 0; n < w.workers; ++n) {
    crew.go([=, &sum] {
      std::uint64_t mine = 0;
      std::vector<std::int64_t> some;
      while (jobs.receive_many(std::back_inserter(some), batch) > 0) {
        for (const std::int64_t job : some) mine += hash(job, w.bytes);
        some.clear();
      }
      sum += mine;
    });
  }
  std::vector<std::int64_t> some(batch);
  for (std::int64_t i = 0; i < w.jobs; i += static_cast<std::int64_t>(batch)) {
    std::iota(some.begin(), some.end(), i);
    const auto left = static_cast<std::size_t>(w.jobs - i);
    jobs.send_many(std::span(some).first(std::min(batch, left)));
  }
  jobs.close();
  crew.wait();
  return sum;
}

std::uint64_t with_pool(const work& w) {
  weir::pool pool{{.workers = static_cast<int>(w.workers), .queue = w.jobs}};
  for (std::int64_t i = 0; i < w.jobs; ++i) {
    pool.post([i, bytes = w.bytes] { bench::tally::add(hash(i, bytes)); });
  }
  pool.close();
  pool.wait();
  return bench::tally::take();
}

std::uint64_t with_for_each(const work& w) {
  weir::for_each(weir::background(), std::views::iota(std::int64_t{0}, w.jobs),
                 {.workers = static_cast<int>(w.workers), .batch = batch},
                 [bytes = w.bytes](std::int64_t i) { bench::tally::add(hash(i, bytes)); });
  return bench::tally::take();
}

bench::hash_all find(const std::string& which) {
  if (which == "channel") return with_channel;
  if (which == "batches") return with_batches;
  if (which == "pool") return with_pool;
  return which == "for_each" ? with_for_each : nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  return bench::measure_sha256("weir", argc, argv, find, [](auto f) { weir::run(f); });
}
