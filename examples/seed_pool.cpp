// SPDX-License-Identifier: MIT
// The article's program, with its workers, wait group and closer in one call: see seed.cpp.
#include <iostream>
#include <weir/weir.hpp>

using namespace std::chrono_literals;

int main() {
  auto [ctx, cancel] = weir::with_timeout(weir::background(), 900ms);
  weir::channel<int> jobs;  // unbuffered, as in Go

  weir::go([=, ctx = ctx] {  // producer
    for (int i = 1; i <= 10; ++i)
      if (!jobs.send(ctx, i)) break;
    jobs.close();
  });

  for (int value : weir::process(ctx, jobs, {.workers = 3}, [](int job) {
         weir::sleep_for(80ms);  // simulated work
         return job * job;
       }))
    std::cout << "result: " << value << '\n';
  std::cout << "done: " << ctx.error().message() << '\n';
}
