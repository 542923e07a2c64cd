// SPDX-License-Identifier: MIT
#pragma once
// gate, spin_lock, operation and shared_object, compiled once more, against the checker's memory:
// the source's own text, in a namespace in which `std::atomic`, the barriers and sched_yield() are
// the checker's. What they include is included before, so that it stays outside; and nothing may
// include them before, or they would be empty here.
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "model/weak_memory.hpp"
#include "port/barrier.hpp"
#include "weir/detail/thread_token.hpp"

namespace modelled {

namespace as_std {
using namespace ::std;  // NOLINT: all but what is declared here
using weak_memory::atomic;
}  // namespace as_std

namespace std = as_std;

namespace weir {
namespace port {
inline void process_barrier() { weak_memory::the_world.process_barrier(); }
inline void light_barrier() {}
}  // namespace port
namespace detail {
inline void sched_yield() { weak_memory::spin(); }
using thread_token = ::std::uintptr_t;
inline constexpr thread_token no_thread = 0;
inline constexpr thread_token thread_token_step = 8;
/// What a scenario does before its threads start, it does as the first of them.
inline thread_token this_thread_token() {
  const int me = ::std::max(weak_memory::the_world.running(), 0);
  return (static_cast<thread_token>(me) + 1) * thread_token_step;
}
}  // namespace detail
}  // namespace weir

#include "pool/stoppable_count.hpp"
#include "runtime/gate.hpp"
#include "weir/detail/intrusive.hpp"
#include "weir/detail/spin_lock.hpp"
#include "weir/detail/waiter.hpp"

// src/runtime/spin_lock.cpp, with one pause for its three.
void weir::detail::spin_lock::wait_for_holder() noexcept {
  do {
    weak_memory::spin();
  } while (taken_[0].load(std::memory_order_relaxed) ||
           taken_[0].exchange(true, std::memory_order_acquire));
}
bool weir::detail::spin_lock::may_reserve() noexcept { return true; }
::std::uint16_t weir::detail::spin_lock::this_thread_number() noexcept {
  return static_cast<::std::uint16_t>(this_thread_token());
}
::std::uint32_t weir::detail::spin_lock::ticks_now() noexcept { return 0; }
void weir::detail::spin_lock::fence_everybody() noexcept { port::process_barrier(); }
void weir::detail::spin_lock::wait_for_owner(int /*round*/) noexcept { weak_memory::spin(); }

}  // namespace modelled
