// SPDX-License-Identifier: MIT
#pragma once
// What has come into a pool by its inbox is a chain from the newest job to the oldest, most of them
// in another processor's cache. It is gone through once, to make a queue of it. That is also when
// to note what saves others the same way: each job is at hand then.

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "pool/handful.hpp"
#include "pool/job_memory.hpp"
#include "weir/detail/job.hpp"

namespace weir::detail {

struct turn_around {
  std::size_t hands = 1;  // take the jobs out of the queue, each in its turn
  bool bundles = false;   // and several at a time

  /// Puts the `count` jobs that `newest` is the first of into the order of coming, behind `to`'s.
  /// Each one's prev says where one is that is some steps older.
  void operator()(job& newest, std::size_t count, job_list& to) const noexcept {
    seen younger;
    job* behind = nullptr;
    std::size_t simple = 0;  // so many in a row
    for (job* j = &newest; j != nullptr;) {
      fetch_job_block(j->prev);
      job* const older = std::exchange(j->next, behind);
      j->prev = older != nullptr ? older : to.back();
      simple = j->is_simple ? simple + 1 : 0;
      j->leads = 0;
      if (bundles && simple > 1) lead(*j, count - 1 - younger.count, simple - 1, younger);
      j->likely_next = younger.back(hands * (1U + j->leads));
      younger.add(j);
      behind = std::exchange(j, older);
    }
    to.append(*behind, newest);
  }

 private:
  /// The last few that were gone by.
  struct seen {
    static constexpr std::size_t kept = 64;

    std::array<job*, kept> last{};
    std::size_t count = 0;

    void add(job* j) noexcept { last[count++ % kept] = j; }
    /// n back; null if that is too far.
    [[nodiscard]] job* back(std::size_t n) const noexcept {
      return n <= std::min(count, kept) ? last[(count - n) % kept] : nullptr;
    }
  };

  /// So many are older, and at least so many of the next younger ones `simple`.
  static void lead(job& j, std::size_t older, std::size_t simple, const seen& younger) noexcept {
    const job_bundle b(j);
    if (b.room() == 0 || older % (b.room() + 1) != 0) return;
    const std::size_t n = std::min<std::size_t>(simple, b.room());
    for (std::size_t i = 0; i < n; ++i) b[i] = younger.back(i + 1);
    b[n] = simple > n ? younger.back(n + 1) : nullptr;
    j.leads = n & job_bundle::most;
  }
};

}  // namespace weir::detail
