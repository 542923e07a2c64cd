// SPDX-License-Identifier: MIT
#pragma once
// Where jobs come into a pool without its lock: a stack of them, and how many more may come, in one
// word that compare-and-exchange changes. (Treiber's stack, 1986, of which everything is taken at
// once, so that no pointer into it is ever followed by one who does not own it.)
//
//   if (inbox.push(j)) return;     // a submitter: one exchange, and the job is the pool's
//   lock(); inbox.close(queue);    // whoever wants to know all that is queued, or change the rules
//   …; inbox.open(room); unlock();
//
// It is open only while whoever comes in is sure to be seen: when that is, the pool decides.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

#include "pool/turn_around.hpp"
#include "weir/detail/job.hpp"

namespace weir::detail {

class job_inbox {
 public:
  /// A hint: may a job come in?
  [[nodiscard]] bool is_open() const noexcept {
    // Ordering: relaxed; push() decides.
    return places_of(word_.load(std::memory_order_relaxed)) != 0;
  }
  /// A hint: has one come in since it was closed?
  [[nodiscard]] bool has_any() const noexcept {
    // Ordering: relaxed; whoever has to know closes it.
    return newest_of(word_.load(std::memory_order_relaxed)) != nullptr;
  }

  /// Takes j in, with the caller's reference, if there is a place. After that neither the job nor
  /// the pool may be touched: the job may have run, and have ended the pool.
  [[nodiscard]] bool push(job& j) noexcept {
    if (newest_of(pack(0, &j)) != &j) [[unlikely]]
      return false;  // an address with more bits, as some systems give on demand
    // Ordering: relaxed; the exchange decides.
    std::uint64_t now = word_.load(std::memory_order_relaxed);
    std::uint64_t then = 0;
    do {
      if (places_of(now) == 0) return false;
      note_earlier(j, places_of(now));
      j.next = newest_of(now);
      then = pack(places_of(now) - 1, &j);
      // Ordering: release; pairs with close(): the job, and what was done before it was submitted.
      // It also continues what the earlier ones released.
    } while (!word_.compare_exchange_weak(now, then, std::memory_order_release,
                                          std::memory_order_relaxed));
    return true;
  }

  /// Nobody comes in any more. Appends what came in to `to`, in its order, and says how many they
  /// are. Whoever calls this, or open(), has the pool's lock.
  std::int64_t close(job_list& to, const turn_around& turn) noexcept {
    // Ordering: relaxed; only a hint, and only the lock's holder opens it.
    if (word_.load(std::memory_order_relaxed) == 0) return 0;
    // Ordering: acquire; pairs with push().
    const std::uint64_t last = word_.exchange(0, std::memory_order_acquire);
    const std::uint64_t come = opened_for_ - places_of(last);
    if (job* const newest = newest_of(last)) turn(*newest, static_cast<std::size_t>(come), to);
    return static_cast<std::int64_t>(come);
  }

  /// So many may come in. It is closed.
  void open(std::int64_t places) noexcept {
    if (places <= 0) return;
    opened_for_ = std::min(static_cast<std::uint64_t>(places), most_places);
    // Ordering: relaxed; who comes in touches nothing that was written under the lock, and what the
    // rules were is looked at again by who takes it out.
    word_.store(pack(opened_for_, nullptr), std::memory_order_relaxed);
  }

 private:
  // A job's address is a multiple of 16 and below 2^48, so 44 bits of it are left, and 20 others.
  static constexpr unsigned address_bits = 44;
  static constexpr unsigned address_shift = 4;
  static constexpr std::uint64_t address_mask = (std::uint64_t{1} << address_bits) - 1;
  static constexpr std::uint64_t most_places = (std::uint64_t{1} << (64 - address_bits)) - 1;

  [[nodiscard]] static std::uint64_t places_of(std::uint64_t word) noexcept {
    return word >> address_bits;
  }
  [[nodiscard]] static job* newest_of(std::uint64_t word) noexcept {
    return reinterpret_cast<job*>((word & address_mask) << address_shift);
  }
  [[nodiscard]] static std::uint64_t pack(std::uint64_t places, job* newest) noexcept {
    return places << address_bits | reinterpret_cast<std::uintptr_t>(newest) >> address_shift;
  }

  /// Notes with j, in prev, which job came in some time before, so that close(), which goes from
  /// one to the next, need not wait for each one's cache line. Hints: submitters may get in each
  /// other's way.
  void note_earlier(job& j, std::uint64_t place) noexcept {
    std::atomic<job*>& one = recent_[place % recent_.size()];
    // Ordering: relaxed in both; nobody follows them.
    j.prev = one.load(std::memory_order_relaxed);
    one.store(&j, std::memory_order_relaxed);
  }

  std::atomic<std::uint64_t> word_{0};
  std::uint64_t opened_for_ = 0;  // how many places it was opened with; under the pool's lock
  std::array<std::atomic<job*>, 6> recent_{};  // with these the cache line is full
};

}  // namespace weir::detail
