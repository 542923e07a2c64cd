// SPDX-License-Identifier: MIT
#include "runtime/monitor.hpp"

#include <pthread.h>

#include <algorithm>
#include <iostream>
#include <new>
#include <thread>

#include "runtime/dump.hpp"
#include "runtime/process.hpp"
#include "runtime/runtime_core.hpp"

namespace weir::detail {
namespace {

constexpr std::uint32_t look_bit = 1;
constexpr std::uint32_t dump_bit = 2;

}  // namespace

monitor& monitor::instance() noexcept {
  alignas(monitor) static std::byte room[sizeof(monitor)];
  static auto* const the_monitor = ::new (room) monitor;
  return *the_monitor;
}

bool monitor::start() noexcept {
  // Ordering: relaxed; the thread reads nothing but wanted_.
  if (started_.exchange(true, std::memory_order_relaxed)) return true;
  watch_forks();
  try {
    std::thread([this] { main(); }).detach();
    return true;
  } catch (...) {
    // Ordering: relaxed; as above.
    started_.store(false, std::memory_order_relaxed);  // the next one may have more luck
    return false;
  }
}

bool monitor::rouse() noexcept {
  // Ordering: seq_cst; the runtime's request was written before, and main() looks for requests
  // after it has cleared this: one sees the other.
  const std::uint32_t before = wanted_.fetch_or(look_bit, std::memory_order_seq_cst);
  if (!start()) return false;
  if (before == 0) port::futex_wake(&wanted_);
  return true;
}

void monitor::request_dump() noexcept {
  // Ordering: relaxed; nothing else is passed on.
  wanted_.fetch_or(dump_bit, std::memory_order_relaxed);
  port::futex_wake(&wanted_);
}

void monitor::in_child() noexcept {
  ::new (&room_) registry::kept_runtimes;  // as its thread has left it: whatever that was
  // Ordering: relaxed; a forked child has one thread.
  wanted_.store(0, std::memory_order_relaxed);
  started_.store(false, std::memory_order_relaxed);
  asleep_.store(false, std::memory_order_relaxed);
}

time_ns monitor::look(time_ns last_period) noexcept {
  using look_again = runtime_core::look_again;
  look_again when = look_again::not_now;
  try {
    registry::instance().for_each_runtime(
        [&](runtime_core& core) { when = std::max(when, core.look_after(steady_now())); },
        std::move(room_));
  } catch (const std::bad_alloc&) {
    room_.clear();
    return last_period;  // perhaps there is memory then
  }
  switch (when) {
    case look_again::not_now: return never;
    case look_again::soon: return look_first_ns;
    default: return std::min(last_period * 2, look_max_ns);
  }
}

void monitor::main() noexcept {
  pthread_setname_np(pthread_self(), "weir-monitor");
  time_ns period = never;  // until the next look
  for (;;) {
    const bool looking = period != never;
    // Ordering: relaxed; for the deadlock check, see there.
    asleep_.store(!looking, std::memory_order_relaxed);
    port::futex_wait(wanted_, 0, looking ? steady_now() + period : never);
    asleep_.store(false, std::memory_order_relaxed);
    // Ordering: seq_cst; see rouse().
    const std::uint32_t wanted = wanted_.exchange(0, std::memory_order_seq_cst);
    if ((wanted & dump_bit) != 0) try_dump_everything(std::cerr);
    if (looking || (wanted & look_bit) != 0) period = look(looking ? period : look_first_ns / 2);
  }
}

}  // namespace weir::detail
