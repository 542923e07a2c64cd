// SPDX-License-Identifier: MIT
#pragma once
// What a job does, and the proof that it did it, the same for every peer.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <deque>
#include <limits>
#include <mutex>
#include <vector>

#include "program/program.hpp"

namespace bench {

/// So many steps of arithmetic, each of which needs the one before: neither caches nor a second
/// thread on the same core change its time much, and no clock is read. The result proves that all
/// steps were done.
[[gnu::noinline]] inline std::uint64_t spin(std::uint64_t steps) noexcept {
  std::uint64_t x = 88172645463325252U + steps;
  for (; steps != 0; --steps) {
    x = x * 6364136223846793005U + 1442695040888963407U;
    // Otherwise the compiler may find a shorter way to the result.
    asm volatile("" : "+r"(x));
  }
  return x;
}

inline double ns_to_spin(std::uint64_t steps) {
  return time_ns([steps] {
    std::uint64_t x = spin(steps);
    keep(x);
  });
}

/// How many steps take so long on this machine when nothing disturbs them: by the fastest of many
/// short runs, since a disturbance only ever adds.
inline std::uint64_t steps_for(std::int64_t ns) {
  static const double ns_a_step = [] {
    constexpr std::uint64_t steps = 100'000;
    double best = std::numeric_limits<double>::max();
    for (int i = 0; i < 60; ++i) best = std::min(best, ns_to_spin(steps));
    return best / static_cast<double>(steps);
  }();
  return static_cast<std::uint64_t>(std::llround(static_cast<double>(ns) / ns_a_step));
}

/// The sum of what all jobs gave. Each thread adds to a cell of its own, so that the check does not
/// become a part of what is measured: a counter that all share would cost more than a small job.
/// Invariant: a cell is its thread's while that lives, then goes to another one; who reads the sum
/// has waited for all jobs, which orders their additions before.
class tally {
 public:
  static void add(std::uint64_t value) noexcept {
    if (mine == nullptr) enlist();
    mine->value += value;
  }
  /// What has been added since the last call.
  static std::uint64_t take() {
    const std::lock_guard hold(book().lock);
    std::uint64_t sum = 0;
    for (cell& c : book().cells) sum += c.value;
    const std::uint64_t before = std::exchange(book().taken, sum);
    return sum - before;
  }

 private:
  struct alignas(128) cell {  // 128: neighbours are fetched in pairs of lines
    std::uint64_t value = 0;
  };
  struct record {
    std::mutex lock;
    std::deque<cell> cells;
    std::vector<cell*> free;
    std::uint64_t taken = 0;
  };
  struct membership {
    cell* place;
    ~membership() {
      mine = nullptr;
      const std::lock_guard hold(book().lock);
      book().free.push_back(place);
    }
  };

  static record& book() {
    static auto* const r = new record;  // threads may end after static objects
    return *r;
  }
  [[gnu::noinline]] static void enlist() noexcept {
    thread_local membership m{place_for_one()};
    mine = m.place;
  }
  static cell* place_for_one() {
    const std::lock_guard hold(book().lock);
    if (book().free.empty()) return &book().cells.emplace_back();
    cell* const place = book().free.back();
    book().free.pop_back();
    return place;
  }

  static inline thread_local cell* mine = nullptr;
};

}  // namespace bench
