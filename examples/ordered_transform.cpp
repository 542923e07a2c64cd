// SPDX-License-Identifier: MIT
// Lines in, lines out, in their order, transformed on all CPUs: here each is turned round. The
// input may be endless: at most 256 lines are under way, and who reads slowly slows what is read.
//   seq 1000000 | example_ordered_transform | head
#include <weir/weir.hpp>

#include <algorithm>
#include <iostream>
#include <string>

namespace {

std::string turned_round(std::string line) {
  std::ranges::reverse(line);
  return line;
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  std::cin.tie(nullptr);  // two threads use the two

  auto [ctx, cancel] = weir::with_cancel(weir::background());
  weir::channel<std::string> lines{64};
  // Nobody waits for this task: a read that blocks can not be called back, but the program may end.
  weir::go("reader", [ctx = ctx, lines] {
    weir::blocking([&] {
      for (std::string line; std::getline(std::cin, line);)
        if (!lines.send(ctx, std::move(line))) return;
      lines.close();
    });
  });

  for (const std::string& line : weir::process_ordered(ctx, lines, {.window = 256}, turned_round)) {
    std::cout << line << '\n';
    if (!std::cout) break;
  }
  if (std::cout.flush() && !std::cin.bad()) return 0;
  std::cerr << "ordered_transform: cannot " << (std::cout ? "read" : "write") << '\n';
  return 1;
}
