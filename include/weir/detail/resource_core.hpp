// SPDX-License-Identifier: MIT
#pragma once
// What resource_pool<T> is but for T: who holds a place, and who waits for one. A place is the
// right to have one resource; a slot is a resource in its place.

#include <chrono>
#include <cstdint>
#include <functional>

#include "../context.hpp"
#include "duration.hpp"
#include "intrusive.hpp"
#include "spin_lock.hpp"
#include "waiter.hpp"

namespace weir {

/// Numbers of one moment, but for the last three, which only grow.
struct resource_pool_stats {
  std::int64_t open = 0;       ///< lent + idle
  std::int64_t lent = 0;       ///< and being made, checked or destroyed
  std::int64_t idle = 0;       ///< not lent
  std::int64_t made = 0;       ///< by the factory, in all
  std::int64_t discarded = 0;  ///< by discard(), a check, or age
  std::int64_t waits = 0;      ///< times that an acquire() had to wait
};

namespace detail {

struct resource_slot {
  resource_slot() = default;
  resource_slot(const resource_slot&) = delete;
  resource_slot& operator=(const resource_slot&) = delete;
  virtual ~resource_slot() = default;

  resource_slot* newer = nullptr;  // these: while it is idle, under the core's lock
  resource_slot* older = nullptr;
  std::int64_t made_at = 0;     // ns; constant once made
  std::int64_t idle_since = 0;  // ns; written when it is given back
};

template <class T>
struct slot_of final : resource_slot {
  slot_of(const std::function<T(const context&)>& make, const context& ctx) : value(make(ctx)) {}
  T value;
};

struct resource_limits {
  std::int64_t most;
  nanoseconds check_after;
  nanoseconds max_idle;
  nanoseconds max_lifetime;
};

/// Invariants, under the lock
///   R1  open_ counts places that are taken: by idle slots, by lent ones, and by who makes or
///       destroys one. open_ <= most.
///   R2  while somebody waits that can still be claimed, none is idle and open_ = most: what
///       becomes free is given to the first waiter by who frees it.
class resource_core : public shared_object {
 public:
  enum class patience : bool { none, waits };

  /// Throws std::invalid_argument that names what is out of range.
  explicit resource_core(const resource_limits& limits);

  /// A slot that was idle or given back, or null: a place to make one in. False when there is none:
  /// ctx is done, the pool closed, or all are lent and the caller has no patience.
  [[nodiscard]] bool take(resource_slot*& slot, const context* until, patience p);
  /// Lends it to the next, keeps it, or destroys it.
  void give_back(resource_slot& slot) noexcept;
  /// Destroys the resource; the caller still has its place.
  void destroy(resource_slot& slot) noexcept;
  /// Gives the place to the next.
  void free_place() noexcept;
  void note_made(resource_slot& slot) noexcept;
  [[nodiscard]] bool is_over(const resource_slot& slot) const noexcept;
  [[nodiscard]] bool is_to_be_checked(const resource_slot& slot) const noexcept;
  void close();
  /// Destroys the idle ones whose time is over: all, or from the oldest to the first that is not.
  enum class look_at : bool { oldest, all };
  void trim(look_at which);

  [[nodiscard]] resource_pool_stats stats() const;

 protected:
  /// For the destructor, while all that the resources came from is there. Nobody else is left.
  void destroy_idle() noexcept;

 private:
  [[nodiscard]] bool is_over(const resource_slot& slot, std::int64_t now) const noexcept;
  void push_idle(resource_slot& slot) noexcept;
  void remove_idle(resource_slot& slot) noexcept;
  [[nodiscard]] resource_slot* take_over_idle(look_at which, std::int64_t now) noexcept;
  void destroy_all(resource_slot* chain) noexcept;

  const resource_limits limits_;
  mutable spin_lock lock_;           // guards the rest
  resource_slot* newest_ = nullptr;  // of the idle: in the order in which they were given back
  resource_slot* oldest_ = nullptr;
  std::int64_t idle_ = 0;
  std::int64_t open_ = 0;
  std::int64_t made_ = 0;
  std::int64_t discarded_ = 0;
  std::int64_t waits_ = 0;
  bool closed_ = false;
  wait_list waiters_;  // node.value is where the slot goes, node.ok false if the pool was closed
};

}  // namespace detail
}  // namespace weir
