// SPDX-License-Identifier: MIT
// The hang programs in Weir.
#include <atomic>
#include <mutex>
#include <stdexcept>
#include <weir/weir.hpp>

#include "hangs.hpp"

namespace {

void nested() {
  weir::pool p{{.workers = 1, .queue = 1}};
  const int n = p.submit([&] { return p.submit([] { return 41; }).get() + 1; }).get();
  hangs::judge(n == 42, "the job that waits runs the inner one");
}

void full() {
  std::atomic<int> ran{0};
  {
    weir::pool p{{.workers = 1, .queue = 2}};
    p.post([&] {
      for (int i = 0; i < 10; ++i) p.post([&] { ++ran; });
    });
    p.wait();
  }
  hangs::judge(ran == 10, "10 of 10 ran: on a full queue the job runs the new one itself");
}

int fib(const weir::pool<>& p, int n) {
  if (n < 2) return n;
  auto a = p.submit([&p, n] { return fib(p, n - 1); });
  auto b = p.submit([&p, n] { return fib(p, n - 2); });
  return a.get() + b.get();
}

void recursion() {
  bool right = true;
  for (const int workers : {1, 8}) {
    for (const int queue : {1, 4}) {
      weir::pool p{{.workers = workers, .queue = queue}};
      right = right && p.submit([&] { return fib(p, 25); }).get() == 75025;
    }
  }
  hangs::judge(right, "fib(25), a job a call, with 1 and 8 workers, a queue of 1 and 4");
}

/// Two jobs, each of which waits for an event of the other.
void meet(int workers) {
  weir::runtime one_thread{{.carriers = 1}};
  const weir::channel<int> a{1};
  const weir::channel<int> b{1};
  weir::pool p{{.workers = workers, .runtime = &one_thread}};
  p.post([=] {
    a.send(1);
    (void)b.receive();
  });
  p.post([=] {
    b.send(1);
    (void)a.receive();
  });
  p.wait();
}

void events() {
  meet(2);
  hangs::judge(true, "2 workers on 1 thread: a worker that waits costs none");
}

/// One worker runs one job at a time, and that waits for a job behind it: no library can help.
void events_one_worker() {
  meet(1);
  hangs::judge(true, "?");
}

void throwing() {
  bool heard = false;
  weir::pool p{{.workers = 1, .on_uncaught = [&](const std::exception_ptr&) { heard = true; }}};
  p.post([] { throw std::runtime_error("disk full"); });
  p.wait();
  hangs::judge(heard && p.stats().failed == 1, "on_uncaught got it, stats() counts it");
}

void destructor() {
  std::atomic<int> ran{0};
  {
    weir::pool p{{.workers = 1}};
    for (int i = 0; i < 100; ++i) {
      p.post([&] {
        weir::yield();
        ++ran;
      });
    }
  }
  hangs::judge(ran == 100, std::to_string(ran) + " of 100 ran");
}

void lock_over_wait() {
  weir::pool p{{.workers = 1}};
  std::mutex m;
  p.post([&] {
    const std::lock_guard held(m);
    auto part = p.submit([] {});
    p.post([&] { const std::lock_guard too(m); });
    part.get();
  });
  p.wait();
  hangs::judge(true, "runs only the very job that it waits for");
}

}  // namespace

int main(int argc, char** argv) {
  return hangs::run(argc, argv,
                    {{"nested", nested},
                     {"full", full},
                     {"recursion", recursion},
                     {"events", events},
                     {"events-one-worker", events_one_worker},
                     {"throw", throwing},
                     {"destructor", destructor},
                     {"lock", lock_over_wait}});
}
