// SPDX-License-Identifier: MIT
// goperf.dev's benchmark: jobs that hash "payload-<i>" with SHA-256, 10 workers. `channel` is the
// program of go_sha256.go, part by part; `pool` is Weir's own word for it. `bytes` pads the
// payload. The hash is nettle's. Figures: ns a job; serial, the same work in a loop on one core;
// efficiency = serial / (cores * ns).
#include <nettle/sha2.h>
#include <weir/weir.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "program/program.hpp"

namespace {

/// Eight bytes of the hash, so that results can be added up.
std::uint64_t hash(std::int64_t job, std::size_t bytes) {
  std::array<char, 32> head{};
  const int length =
      std::snprintf(head.data(), head.size(), "payload-%lld", static_cast<long long>(job));
  std::vector<std::uint8_t> payload(std::max(bytes, static_cast<std::size_t>(length)));
  std::memcpy(payload.data(), head.data(), static_cast<std::size_t>(length));
  sha256_ctx state;
  sha256_init(&state);
  sha256_update(&state, payload.size(), payload.data());
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
  sha256_digest(&state, digest.size(), digest.data());
  std::uint64_t first = 0;
  std::memcpy(&first, digest.data(), sizeof first);
  return first;
}

struct work {
  std::int64_t jobs;
  std::int64_t workers;
  std::size_t bytes;
};

std::uint64_t serial(const work& w) {
  std::uint64_t sum = 0;
  for (std::int64_t i = 0; i < w.jobs; ++i) sum += hash(i, w.bytes);
  return sum;
}

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

std::uint64_t with_pool(const work& w) {
  std::atomic<std::uint64_t> sum{0};
  weir::pool pool{{.workers = static_cast<int>(w.workers), .queue = w.jobs}};
  for (std::int64_t i = 0; i < w.jobs; ++i) {
    pool.post([&sum, i, bytes = w.bytes] { sum += hash(i, bytes); });
  }
  pool.close();
  pool.wait();
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program p{"weir", argc, argv};
  const work w{p.count("jobs", 10'000), p.count("workers", 10),
               static_cast<std::size_t>(p.count("bytes", 0))};
  const auto turns = p.count("turns", 10);
  const auto parallel = p.which() == "pool"      ? with_pool
                        : p.which() == "channel" ? with_channel
                                                 : nullptr;
  if (parallel == nullptr) p.unknown_case();
  std::uint64_t want = serial(w);  // warm-up
  std::uint64_t sum = 0;
  const double alone = bench::time_ns([&] {
    for (std::int64_t t = 0; t < turns; ++t) sum += serial(w);
  });
  want *= static_cast<std::uint64_t>(turns);
  p.check(sum == want, "wrong sum of hashes");
  sum = 0;
  const double together = weir::run([&] {
    (void)parallel(w);  // warm-up
    return bench::time_ns([&] {
      for (std::int64_t t = 0; t < turns; ++t) sum += parallel(w);
    });
  });
  p.check(sum == want, "jobs were lost or doubled");
  const auto all = static_cast<double>(turns * w.jobs);
  p.print({{"ns", together / all},
           {"serial", alone / all},
           {"efficiency", alone / (std::thread::hardware_concurrency() * together)}});
}
