#include <weir/weir.hpp>
#include <iostream>
using namespace std::chrono_literals;

int main() {
  auto [ctx, cancel] = weir::with_timeout(weir::background(), 900ms);
  weir::channel<int> jobs, results;                      // unbuffered, as in Go

  weir::go([=] {                                         // producer
    for (int i = 1; i <= 10; ++i)
      if (!jobs.send(ctx, i)) break;
    jobs.close();
  });

  weir::wait_group workers;                              // 3 workers
  for (int id = 1; id <= 3; ++id)
    workers.go([=] {
      while (auto job = jobs.receive(ctx)) {
        weir::sleep_for(80ms);                           // simulated work
        if (!results.send(ctx, *job * *job)) return;
      }
    });

  weir::go([=] { workers.wait(); results.close(); });    // closer

  for (int value : results) std::cout << "result: " << value << '\n';
  std::cout << "done: " << ctx.error().message() << '\n';
}
