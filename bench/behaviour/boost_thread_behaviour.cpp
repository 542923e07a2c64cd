// SPDX-License-Identifier: MIT
// How Boost.Thread behaves: sync_bounded_queue and basic_thread_pool; see weir_behaviour.cpp.
#define BOOST_THREAD_VERSION 5
#include <atomic>
#include <boost/thread/concurrent_queues/sync_bounded_queue.hpp>
#include <boost/thread/executors/basic_thread_pool.hpp>
#include <boost/thread/thread.hpp>
#include <chrono>
#include <thread>

#include "../../tests/hangs/hangs.hpp"

namespace {

using namespace std::chrono_literals;
constexpr auto soon = 50ms;
using queue = boost::concurrent::sync_bounded_queue<int>;

void cancel() {
  queue full{1};
  full.push_back(1);
  std::atomic<bool> released{false};
  boost::thread submitter([&] {
    try {
      full.push_back(2);
    } catch (const boost::thread_interrupted&) {
      released = true;
    }
  });
  std::this_thread::sleep_for(soon);
  submitter.interrupt();
  submitter.join();
  hangs::judge(released, "the thread's interrupt() ends push_back");
}

/// Whether close() ends f(), which waits in the queue.
template <class F>
bool is_released(queue& q, F f) {
  std::atomic<bool> released{false};
  std::thread waiter([&] {
    try {
      f();
    } catch (const boost::concurrent::sync_queue_is_closed&) {
      released = true;
    }
  });
  std::this_thread::sleep_for(soon);
  q.close();
  waiter.join();
  return released;
}

void closing() {
  queue full{1};
  queue empty{1};
  full.push_back(1);
  const bool sender = is_released(full, [&] { full.push_back(2); });
  const bool receiver = is_released(empty, [&] { (void)empty.pull_front(); });
  hangs::judge(sender && receiver, "both throw sync_queue_is_closed");
}

void spin() {
  std::atomic<int> begun{0};
  boost::executors::basic_thread_pool pool{2};
  for (int i = 0; i < 2; ++i) {
    pool.submit([&] {
      ++begun;
      while (begun < 2) {
      }
    });
  }
  pool.close();
  pool.join();
  hangs::judge(begun == 2, "two threads");
}

}  // namespace

int main(int argc, char** argv) {
  return hangs::run(argc, argv, {{"cancel", cancel}, {"close", closing}, {"spin", spin}});
}
