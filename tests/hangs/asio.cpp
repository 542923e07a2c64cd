// SPDX-License-Identifier: MIT
// The hang programs with Boost.Asio's thread_pool.
#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <stdexcept>

#include "hangs.hpp"

namespace {

using boost::asio::post;
using boost::asio::thread_pool;

template <class F>
auto submit(thread_pool& p, F f) {
  return post(p, boost::asio::use_future(std::move(f)));
}

int fib(thread_pool& p, int n) {
  if (n < 2) return n;
  auto a = submit(p, [&p, n] { return fib(p, n - 1); });
  auto b = submit(p, [&p, n] { return fib(p, n - 2); });
  return a.get() + b.get();
}

void nested() {
  thread_pool p(1);
  hangs::judge(submit(p, [&] { return submit(p, [] { return 41; }).get() + 1; }).get() == 42, "");
}

void recursion() {
  thread_pool p(8);
  hangs::judge(submit(p, [&] { return fib(p, 25); }).get() == 75025, "");
}

void full() {
  thread_pool p(1);
  std::atomic<int> ran{0};
  post(p, [&] {
    for (int i = 0; i < 10; ++i) post(p, [&] { ++ran; });
  });
  p.join();
  hangs::say("no bound", std::to_string(ran) + " of 10 ran; a million would wait in memory");
}

void events() {
  thread_pool p(1);
  std::promise<void> a;
  std::promise<void> b;
  post(p, [&] {
    a.set_value();
    b.get_future().wait();
  });
  post(p, [&] {
    b.set_value();
    a.get_future().wait();
  });
  p.join();
  hangs::judge(true, "");
}

void throwing() {
  thread_pool p(1);
  post(p, [] { throw std::runtime_error("disk full"); });
  p.join();
  hangs::judge(false, "nobody heard of it");
}

void destructor() {
  std::atomic<int> ran{0};
  {
    thread_pool p(1);
    for (int i = 0; i < 100; ++i) {
      post(p, [&] {
        std::this_thread::yield();
        ++ran;
      });
    }
  }
  hangs::judge(ran == 100, std::to_string(ran) + " of 100 ran, the others are dropped");
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
