// SPDX-License-Identifier: MIT
// Threads for blocking(f): as many as there are calls at a time, kept for a while after. They share
// no carrier, so whatever f does to its thread, tasks go on.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "runtime/blocking.hpp"
#include "runtime/runtime_core.hpp"
#include "weir/go.hpp"

namespace weir::detail {
namespace {

thread_local const runtime_core* in_call_of = nullptr;

constexpr wait_kind blocking_wait{"blocking call"};

struct blocking_call {
  thunk body;
  void* argument;
  operation* op;
  runtime_core* rt;  // stays until the call has ended, as its task has not
};

class blocking_threads {
 public:
  /// Throws std::system_error when a thread is needed and cannot be had.
  void submit(blocking_call call) {
    const std::lock_guard lock(m_);
    // Each waiting call has an idle thread of its own to look forward to, or a new one is made: a
    // call that came first may block for ever.
    if (calls_.size() >= idle_)
      std::thread([this] { serve(); }).detach();
    else
      ready_.notify_one();
    calls_.push_back(call);
  }

  [[nodiscard]] long idle() {
    const std::lock_guard lock(m_);
    return static_cast<long>(idle_ - std::min(idle_, calls_.size()));
  }

 private:
  void serve() {
    constexpr auto patience = std::chrono::seconds(10);
    std::unique_lock lock(m_);
    for (;;) {
      if (calls_.empty()) {
        ++idle_;
        const bool called = ready_.wait_for(lock, patience, [this] { return !calls_.empty(); });
        --idle_;
        if (!called) return;
      }
      const blocking_call call = calls_.front();
      calls_.pop_front();
      lock.unlock();
      {
        const exit_watch stops_at_exit;
        in_call_of = call.rt;
        call.body(call.argument);  // catches what f throws
        in_call_of = nullptr;
      }
      // The one thread of a forked child, whose function has returned, and nobody waits for that.
      if (call.rt->generation() != fork_generation()) _exit(0);
      // Ordering: release; pairs with whoever waits until nothing runs: what f used is free.
      call.rt->calls_inside.fetch_sub(1, std::memory_order_release);
      call.rt->tell_callers_if_over();
      const strand who = call.op->who;
      (void)call.op->claim(0);
      who.wake();
      lock.lock();
    }
  }

  std::mutex m_;  // guards all below
  std::condition_variable ready_;
  std::deque<blocking_call> calls_;
  std::size_t idle_ = 0;
};

/// Never destroyed: its threads are not joined.
blocking_threads& threads() {
  static auto* const instance = new blocking_threads;
  return *instance;
}

}  // namespace

long idle_blocking_threads() { return threads().idle(); }

const runtime_core* runtime_of_call() noexcept { return in_call_of; }

void run_blocking(thunk body, void* argument) {
  // Under a director everything is one thread's: the same decisions give the same run.
  if (carrier::current_task() == nullptr || carrier::current()->rt.directed_by != nullptr) {
    body(argument);
    return;
  }
  operation op(false);
  op.who = strand::current();
  runtime_core& rt = carrier::current()->rt;
  // Ordering: relaxed up, on the carrier that would look; release down, pairs with
  // advance_virtual_clock(): what the call caused is visible before time moves.
  rt.blocking_calls.fetch_add(1, std::memory_order_relaxed);
  // Ordering: relaxed; whoever looks at it sees first that this carrier has left.
  rt.calls_inside.fetch_add(1, std::memory_order_relaxed);
  try {
    threads().submit({body, argument, &op, &rt});
  } catch (...) {
    // Ordering: release; as above.
    rt.blocking_calls.fetch_sub(1, std::memory_order_release);
    rt.calls_inside.fetch_sub(1, std::memory_order_release);
    throw;
  }
  op.who.park({.kind = &blocking_wait});
  (void)op.winner();
  // Ordering: release; as above.
  rt.blocking_calls.fetch_sub(1, std::memory_order_release);
}

}  // namespace weir::detail
