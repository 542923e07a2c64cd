// SPDX-License-Identifier: MIT
// Coroutines among tasks and threads: co_await on a channel, on a pool's future, on a context, and
// on a place in the pool. While one is suspended it blocks no thread, and no worker.
//   example_coroutines
#include <weir/pool_coroutine.hpp>
#include <weir/weir.hpp>

#include <iostream>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

int score(const std::string& word) {
  if (word.empty()) throw std::invalid_argument("an empty word");
  return std::accumulate(word.begin(), word.end(), 0, [](int n, char c) { return n + c - '@'; });
}

// Parameters are copied into a coroutine's frame: handles by value. The pool is main's.

/// From words to lines, until the words end or ctx is done.
weir::detached scorer(weir::context ctx, const weir::pool<>& crew, weir::channel<std::string> words,
                      weir::channel<std::string> lines) {
  while (auto word = co_await weir::async_receive(ctx, words)) {
    std::string line = *word + ": ";
    try {
      line += std::to_string(co_await crew.submit([&] { return score(*word); }));
    } catch (const std::exception& e) {  // what leaves a detached coroutine would end the program
      line += e.what();
    }
    if (!co_await weir::async_send(ctx, lines, std::move(line))) break;
  }
  lines.close();
}

/// From its first co_await to the next a job of the pool.
weir::detached sum_up(const weir::pool<>& crew, std::vector<int> numbers, weir::channel<int> sum) {
  co_await crew.schedule();
  const int result = std::accumulate(numbers.begin(), numbers.end(), 0);
  co_await weir::async_send(sum, result);
}

weir::detached watch(weir::context ctx, weir::channel<std::string> why) {
  const std::error_code error = co_await ctx;
  co_await weir::async_send(why, error.message());
}

}  // namespace

int main() {
  const weir::pool crew{{.workers = 2, .queue = 8}};
  auto [ctx, cancel] = weir::with_cancel(weir::background());
  const weir::channel<std::string> words, lines, why;
  const weir::channel<int> sum;

  watch(ctx, why);
  scorer(ctx, crew, words, lines);
  sum_up(crew, {1, 2, 3, 4}, sum);

  weir::go([=] {  // an ordinary task on the other side
    for (const std::string word : {"GO", "", "WEIR"}) words.send(word);
    words.close();
  });
  for (const std::string& line : lines) std::cout << line << '\n';
  std::cout << "sum: " << sum.receive().value() << '\n';
  cancel();
  std::cout << "the end: " << why.receive().value() << '\n';
}
