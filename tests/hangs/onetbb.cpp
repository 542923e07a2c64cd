// SPDX-License-Identifier: MIT
// The hang programs with oneTBB.
#include <oneapi/tbb/concurrent_queue.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "hangs.hpp"

namespace {

namespace tbb = oneapi::tbb;

void nested() {
  tbb::task_arena one(1);
  int n = 0;
  one.execute([&] {
    tbb::task_group outer;
    outer.run([&] {
      tbb::task_group inner;
      inner.run([&] { n = 41; });
      inner.wait();
      ++n;
    });
    outer.wait();
  });
  hangs::judge(n == 42, "who waits runs other tasks");
}

int fib(int n) {
  if (n < 2) return n;
  int a = 0;
  int b = 0;
  tbb::task_group g;
  g.run([&] { a = fib(n - 1); });
  g.run([&] { b = fib(n - 2); });
  g.wait();
  return a + b;
}

void recursion() {
  tbb::task_arena one(1);
  hangs::judge(one.execute([] { return fib(25); }) == 75025, "what it is made for");
}

/// A thread that runs what is in a bounded queue: what one writes with concurrent_bounded_queue.
void full() {
  tbb::concurrent_bounded_queue<std::function<void()>> jobs;
  jobs.set_capacity(2);
  std::atomic<int> ran{0};
  jobs.push([&] {
    for (int i = 0; i < 10; ++i) jobs.push([&] { ++ran; });
    jobs.push({});
  });
  std::thread worker([&] {
    std::function<void()> job;
    for (jobs.pop(job); job; jobs.pop(job)) job();
  });
  worker.join();
  hangs::judge(ran == 10, "");
}

void events() {
  const tbb::global_control one(tbb::global_control::max_allowed_parallelism, 1);
  std::promise<void> a;
  std::promise<void> b;
  tbb::task_group g;
  g.run([&] {
    a.set_value();
    b.get_future().wait();
  });
  g.run([&] {
    b.set_value();
    a.get_future().wait();
  });
  g.wait();
  hangs::judge(true, "");
}

void throwing() {
  tbb::task_arena arena(2);
  std::promise<void> done;
  arena.enqueue([&] {
    struct at_end {
      std::promise<void>& p;
      ~at_end() { p.set_value(); }
    } end{done};
    throw std::runtime_error("disk full");
  });
  done.get_future().wait();
  arena.execute([] {
    tbb::task_group g;
    g.run_and_wait([] { std::this_thread::yield(); });
  });
  std::promise<void> later;  // time for the exception to get to where it ends
  arena.enqueue([&] { later.set_value(); });
  later.get_future().wait();
  hangs::judge(false, "nobody heard of it");
}

/// What the end of an arena does to what was enqueued: then, and two seconds later.
void destructor() {
  static std::atomic<int> ran{0};
  constexpr int jobs = 10'000;
  {
    tbb::task_arena arena(2, 1);
    for (int i = 0; i < jobs; ++i) {
      arena.enqueue([] {
        std::this_thread::yield();
        ++ran;
      });
    }
  }
  const int then = ran;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  while (ran < jobs && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  hangs::judge(then == jobs, "its end waits for nothing: " + std::to_string(then) + " of " +
                                 std::to_string(jobs) + " had run; if the program goes on, " +
                                 std::to_string(ran) + " have 2 s later");
}

void lock_over_wait() {
  tbb::task_arena one(1);
  one.execute([] {
    std::mutex m;
    tbb::task_group outer;
    outer.run([&] {
      const std::lock_guard held(m);
      tbb::task_group parts;
      parts.run([] {});
      outer.run([&] { const std::lock_guard too(m); });
      parts.wait();
    });
    outer.wait();
  });
  hangs::judge(true, "");
}

}  // namespace

int main(int argc, char** argv) {
  return hangs::run(argc, argv,
                    {{"nested", nested},
                     {"full", full},
                     {"recursion", recursion},
                     {"events", events},
                     {"throw", throwing},
                     {"destructor", destructor},
                     {"lock", lock_over_wait}});
}
