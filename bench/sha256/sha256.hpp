// SPDX-License-Identifier: MIT
#pragma once
// The jobs of goperf.dev's benchmark: to hash "payload-<i>", which is allocated, with SHA-256. The
// hash is nettle's.
//
//   return bench::measure_sha256("weir", argc, argv, [](const std::string& which) { … });
//
// Figures: ns a job; serial, the same work in a loop on one core; efficiency = serial / (cores *
// ns).
#include <nettle/sha2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "program/program.hpp"

namespace bench {

/// Eight bytes of the hash, so that results can be added up.
inline std::uint64_t hash(std::int64_t job, std::size_t bytes) {
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

inline std::uint64_t serial(const work& w) {
  std::uint64_t sum = 0;
  for (std::int64_t i = 0; i < w.jobs; ++i) sum += hash(i, w.bytes);
  return sum;
}

/// Does all of w's jobs, and gives the sum of their hashes.
using hash_all = std::uint64_t (*)(const work& w);

/// `find` gives the case's function, null if there is none; `run` calls what it is given where the
/// peer's tasks run.
template <class Find, class Run>
int measure_sha256(const char* peer, int argc, char** argv, Find find, Run run) {
  program p{peer, argc, argv};
  const work w{p.count("jobs", 10'000), p.count("workers", 10),
               static_cast<std::size_t>(p.count("bytes", 0))};
  const auto turns = p.count("turns", 10);
  const hash_all parallel = find(p.which());
  if (parallel == nullptr) p.unknown_case();
  const std::uint64_t want = serial(w) * static_cast<std::uint64_t>(turns);  // and warm-up
  std::uint64_t sum = 0;
  const double alone = time_ns([&] {
    for (std::int64_t t = 0; t < turns; ++t) sum += serial(w);
  });
  p.check(sum == want, "wrong sum of hashes");
  sum = 0;
  double together = 0;
  run([&] {
    (void)parallel(w);  // warm-up
    together = time_ns([&] {
      for (std::int64_t t = 0; t < turns; ++t) sum += parallel(w);
    });
  });
  p.check(sum == want, "jobs were lost or doubled");
  const auto all = static_cast<double>(turns * w.jobs);
  p.print({{"ns", together / all},
           {"serial", alone / all},
           {"efficiency", alone / (std::thread::hardware_concurrency() * together)}});
  return 0;
}

}  // namespace bench
