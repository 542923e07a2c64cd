// SPDX-License-Identifier: MIT
// C++20 coroutines among tasks and threads: they wait in the same channels, are cancelled by the
// same contexts, and go to a pool's worker where they have something to compute.
#include <weir/coroutine.hpp>
#include <weir/pool_coroutine.hpp>
#include <weir/weir.hpp>

#include <iostream>

using namespace std::chrono_literals;

/// Squares what comes, on a worker of the pool, until the channel is closed.
weir::detached square(const weir::pool<>& p, weir::channel<int> in, weir::channel<int> out) {
  while (auto n = co_await weir::async_receive(in)) {
    const int result = co_await p.submit([v = *n] { return v * v; });
    co_await weir::async_send(out, result);
  }
  out.close();
}

/// Adds up until its context is done.
weir::detached add_up(weir::context ctx, weir::channel<int> in, weir::channel<int> total) {
  int sum = 0;
  while (auto n = co_await weir::async_receive(ctx, in)) sum += *n;
  co_await weir::async_send(total, sum);
}

/// Where does it run?
weir::detached move_to_worker(const weir::pool<>& p, weir::channel<std::string> where) {
  co_await p.schedule();
  const std::string name = weir::this_task::name();
  co_await weir::async_send(where, name);
}

int main() {
  const weir::pool p{{.workers = 2, .name = "mill"}};
  const weir::channel<int> numbers;
  const weir::channel<int> squares;
  square(p, numbers, squares);
  weir::go([=] {  // a task feeds the coroutine
    for (int i = 1; i <= 5; ++i) numbers.send(i);
    numbers.close();
  });
  for (const int n : squares) std::cout << n << '\n';

  const auto [ctx, cancel] = weir::with_cancel(weir::background());
  const weir::channel<int> more;
  const weir::channel<int> total;
  add_up(ctx, more, total);
  for (int i = 1; i <= 100; ++i) more.send(i);
  cancel();
  std::cout << "sum: " << *total.receive() << '\n';

  const weir::channel<std::string> where;
  move_to_worker(p, where);
  std::cout << "on: " << where.receive()->substr(0, 4) << '\n';
}
