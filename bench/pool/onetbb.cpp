// SPDX-License-Identifier: MIT
// oneTBB: a task_group in an arena of that many threads. It has no futures: std::packaged_task
// gives them, and who needs one waits for the group first, since only so does it help.
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <future>
#include <thread>
#include <utility>

#include "pool/cases.hpp"

namespace {

class onetbb {
 public:
  static constexpr const char* name = "onetbb";

  /// A submitter from inside is one of the workers; one from outside has a place of its own.
  onetbb(int workers, bench::from where)
      : threads_(where == bench::from::inside ? workers : workers + 1),
        limit_(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads_)),
        arena_(threads_) {}
  void begin() {}
  template <class F>
  void post(F f) {
    // From outside: faster, and started earlier, than arena_.enqueue(group_.defer(f)).
    arena_.execute([&] { group_.run(std::move(f)); });
  }
  template <class F>
  auto submit(F f) {
    using result = decltype(f());
    struct call {
      // mutable: a task_group calls its functions as const.
      mutable std::packaged_task<result()> task;
      void operator()() const { task(); }
    };
    call c{std::packaged_task<result()>(std::move(f))};
    helping_future<result> future{*this, c.task.get_future()};
    post(std::move(c));
    return future;
  }
  template <class F>
  void inside(F f) {
    arena_.execute([&] {
      f();
      group_.wait();
    });
  }
  void wait() {
    arena_.execute([&] { group_.wait(); });
  }
  static void sleep(std::chrono::nanoseconds d) { std::this_thread::sleep_for(d); }

 private:
  template <class R>
  struct helping_future {
    onetbb& peer;
    std::future<R> future;
    R get() {
      if (future.wait_for(std::chrono::seconds(0)) != std::future_status::ready) peer.wait();
      return future.get();
    }
  };

  int threads_;
  // Otherwise there are never more threads than CPUs, whatever the arena asks for.
  tbb::global_control limit_;
  tbb::task_arena arena_;
  tbb::task_group group_;
};

}  // namespace

int main(int argc, char** argv) { return bench::run_pool<onetbb>(argc, argv); }
