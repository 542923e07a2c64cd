// SPDX-License-Identifier: MIT
// How oneTBB behaves: its bounded queue and its task_group; see weir_behaviour.cpp.
#include <oneapi/tbb/concurrent_queue.h>
#include <oneapi/tbb/task_group.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "../../tests/hangs/hangs.hpp"

namespace {

using namespace std::chrono_literals;
constexpr auto soon = 50ms;
using queue = tbb::concurrent_bounded_queue<int>;

/// Whether abort() ends f(), which waits in the queue.
template <class F>
bool is_released(queue& q, F f) {
  std::atomic<bool> released{false};
  std::thread waiter([&] {
    try {
      f();
    } catch (const tbb::user_abort&) {
      released = true;
    }
  });
  std::this_thread::sleep_for(soon);
  q.abort();
  waiter.join();
  return released;
}

bool sender_is_released() {
  queue full;
  full.set_capacity(1);
  full.push(1);
  return is_released(full, [&] { full.push(2); });
}

void cancel() {
  hangs::judge(sender_is_released(), "push throws user_abort; abort() releases all that wait");
}

void closing() {
  queue empty;
  const bool receiver = is_released(empty, [&] {
    int v = 0;
    empty.pop(v);
  });
  hangs::judge(receiver && sender_is_released(), "abort(): both throw user_abort");
}

void spin() {
  std::atomic<int> begun{0};
  tbb::task_group g;
  for (int i = 0; i < 2; ++i) {
    g.run([&] {
      ++begun;
      while (begun < 2) {
      }
    });
  }
  g.wait();
  hangs::judge(true, "there were two threads");
}

}  // namespace

int main(int argc, char** argv) {
  return hangs::run(argc, argv, {{"cancel", cancel}, {"close", closing}, {"spin", spin}});
}
