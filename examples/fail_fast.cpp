// SPDX-License-Identifier: MIT
// The article's second program: 4 workers, 10 jobs, job 6 fails. That error is reported once,
// everybody stops, and nobody is left behind: the producer neither, whose send is released by the
// same context (in the original it stays blocked for ever).
#include <weir/weir.hpp>

#include <iostream>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

int main() {
  auto [ctx, cancel] = weir::with_timeout(weir::background(), 2s);
  weir::channel<int> jobs, results;
  weir::wait_group crew;  // everybody but main

  crew.go([=] {  // producer
    for (int i = 1; i <= 10; ++i)
      if (!jobs.send(ctx, i)) return;
    jobs.close();
  });

  weir::wait_group workers;  // 4 workers
  for (int id = 1; id <= 4; ++id)
    workers.go([=, cancel = cancel] {
      while (auto job = jobs.receive(ctx)) {
        weir::sleep_for(50ms);  // simulated work
        if (*job == 6) {
          cancel(std::runtime_error("job 6 failed"));  // only the first cause counts
          return;
        }
        if (!results.send(ctx, *job * *job)) return;
      }
    });

  crew.go([=] {
    workers.wait();
    results.close();
  });  // closer

  int received = 0;
  for ([[maybe_unused]] int value : results) ++received;
  crew.wait();  // nothing leaks: producer, workers and closer have all ended

  std::cout << "error: " << ctx.error().message() << '\n';
  try {
    if (ctx.cause()) std::rethrow_exception(ctx.cause());
  } catch (const std::exception& e) {
    std::cout << "cause: " << e.what() << '\n';
  }
  std::cout << (received < 10 ? "stopped early" : "not stopped") << '\n';
}
