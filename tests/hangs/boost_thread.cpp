// SPDX-License-Identifier: MIT
// The hang programs with Boost.Thread's executors and its bounded queue.
#define BOOST_THREAD_VERSION 5
#define BOOST_THREAD_PROVIDES_EXECUTORS
#include <atomic>
#include <boost/thread/executors/basic_thread_pool.hpp>
#include <boost/thread/future.hpp>
#include <boost/thread/sync_bounded_queue.hpp>
#include <functional>
#include <stdexcept>
#include <thread>

#include "hangs.hpp"

namespace {

using boost::basic_thread_pool;

void nested() {
  basic_thread_pool p(1);
  auto outer = boost::async(p, [&] { return boost::async(p, [] { return 41; }).get() + 1; });
  hangs::judge(outer.get() == 42, "");
}

int fib(basic_thread_pool& p, int n) {
  if (n < 2) return n;
  auto a = boost::async(p, [&p, n] { return fib(p, n - 1); });
  auto b = boost::async(p, [&p, n] { return fib(p, n - 2); });
  return a.get() + b.get();
}

void recursion() {
  basic_thread_pool p(8);
  hangs::judge(boost::async(p, [&] { return fib(p, 25); }).get() == 75025, "");
}

/// A thread that runs what is in a bounded queue: what one writes with sync_bounded_queue.
void full() {
  boost::sync_bounded_queue<std::function<void()>> jobs(2);
  std::atomic<int> ran{0};
  jobs.push_back([&] {
    for (int i = 0; i < 10; ++i) jobs.push_back([&] { ++ran; });
    jobs.close();
  });
  std::thread worker([&] {
    std::function<void()> job;
    while (jobs.wait_pull_front(job) == boost::queue_op_status::success) job();
  });
  worker.join();
  hangs::judge(ran == 10, "");
}

void events() {
  basic_thread_pool p(1);
  boost::promise<void> a;
  boost::promise<void> b;
  auto first = boost::async(p, [&] {
    a.set_value();
    b.get_future().wait();
  });
  auto second = boost::async(p, [&] {
    b.set_value();
    a.get_future().wait();
  });
  first.wait();
  second.wait();
  hangs::judge(true, "");
}

void throwing() {
  basic_thread_pool p(1);
  p.submit([] { throw std::runtime_error("disk full"); });
  p.close();
  p.join();
  hangs::judge(false, "nobody heard of it");
}

void destructor() {
  std::atomic<int> ran{0};
  {
    basic_thread_pool p(1);
    for (int i = 0; i < 100; ++i) {
      p.submit([&] {
        boost::this_thread::yield();
        ++ran;
      });
    }
  }
  hangs::judge(ran == 100, std::to_string(ran) + " of 100 ran");
}

}  // namespace

int main(int argc, char** argv) {
  return hangs::run(argc, argv,
                    {{"nested", nested},
                     {"full", full},
                     {"recursion", recursion},
                     {"events", events},
                     {"throw", throwing},
                     {"destructor", destructor}});
}
