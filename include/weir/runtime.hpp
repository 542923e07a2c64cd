// SPDX-License-Identifier: MIT
#pragma once
// runtime: carrier threads and the tasks that run on them. Most programs never name one: go()
// starts a default runtime on first use. Make your own to have tasks end before a scope does, for a
// different number of carriers, or for a virtual clock in tests.
//
//   weir::runtime rt{{.carriers = 2}};
//   rt.go([] { serve(); });
//   auto [ctx, cancel] = weir::with_timeout(weir::background(), 5s);
//   if (!rt.shutdown(ctx)) std::cerr << "some tasks did not end in time\n";
//
// Tasks of different runtimes and plain threads share channels and everything else freely. Time is
// a runtime's own, though: with it end the timers and deadlines that its tasks have made. Contexts
// whose deadline has not passed are cancelled then, timers and tickers fire no more.

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "amount.hpp"
#include "context.hpp"
#include "go.hpp"

namespace weir {

enum class clock_kind {
  steady,        ///< std::chrono::steady_clock
  virtual_time,  ///< moves only when every task waits, then straight to the next timer: sleeping is
                 ///< free. One carrier: run() lends the thread if it is the only one, and waits
                 ///< otherwise.
};

struct runtime_options {
  /// Carrier threads; 0: WEIR_CARRIERS, or else the CPUs that this process may really use: its
  /// affinity mask and its cgroup's quota (v1 and v2, rounded up), never less than one. At most
  /// 1024.
  amount carriers = 0;
  /// Address space for each task's stack, rounded up to pages; 16 KiB to 1 GiB. Raise it for deep
  /// recursion: only touched pages cost memory.
  std::size_t stack_size = std::size_t{256} * 1024;
  /// Where the random choices start; 0: from the system.
  std::uint64_t seed = 0;
  clock_kind clock = clock_kind::steady;
};

namespace detail {
class runtime_core;
}

class runtime {
 public:
  /// Starts no thread before there is work. Throws std::invalid_argument that names the option (or
  /// the WEIR_CARRIERS, or the WEIR_DEADLOCK) that is out of range, and errc::forked in a forked
  /// child of a process that has had a runtime.
  explicit runtime(runtime_options options = {});
  /// Waits until every task has ended, then joins the carriers: also for the workers of pools and
  /// what feeds streams, which have to end before. Tasks that a failed shutdown() gave up on are
  /// not waited for. Must not be called from one of its own tasks (std::terminate).
  ~runtime();
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// weir::go on this runtime, from anywhere. Throws errc::closed after shutdown() has begun,
  /// unless called by one of its own tasks.
  template <detail::callable_once F>
  void go(F f) {
    detail::check_callable(f, "runtime::go");
    detail::spawn_callable(this, {}, std::move(f));
  }
  template <detail::callable_once F>
  void go(std::string_view name, F f) {
    detail::check_callable(f, "runtime::go");
    detail::spawn_callable(this, name, std::move(f));
  }
  /// weir::run on this runtime; from a task of another one that waits, as for a channel. Throws
  /// errc::closed if the runtime stops before f has ended, once nothing of it runs any more: no
  /// task, and no function in blocking(), which may all use what is f's.
  template <detail::callable_once F>
  auto run(F f) -> detail::call_result<F> {
    detail::check_callable(f, "runtime::run");
    return detail::through_thunk(
        f, [this](detail::thunk body, void* arg) { detail::run_as_task(this, body, arg); });
  }
  /// Takes no more tasks from outside and waits until all have ended: true. When ctx is done first:
  /// false; what has not ended by then is abandoned, never runs again and is not destroyed. (A task
  /// that computes at that moment, or is in the kernel, does go on: until it waits or yields, or
  /// for ever.) Its pools then cancel what they have not begun, and no destructor of a pool, stream
  /// or task_group waits for what was abandoned. What else does waits for ever: wait(), the future
  /// of a job that a worker had, a loop over a stream's results. After that, or beside another
  /// shutdown() that gives up: false at once. Throws std::logic_error in one of its own tasks,
  /// which would wait for itself.
  bool shutdown(const context& ctx = background());

  /// How many carriers may run at once.
  [[nodiscard]] int carriers() const noexcept;
  /// Tasks that have started and not ended. A snapshot.
  [[nodiscard]] std::size_t tasks() const noexcept;

  [[nodiscard]] detail::runtime_core& core() const noexcept { return *core_; }

 private:
  std::shared_ptr<detail::runtime_core> core_;
};

/// How many carriers a runtime with default options would have here and now; WEIR_CARRIERS
/// included.
[[nodiscard]] int default_carriers();

}  // namespace weir
