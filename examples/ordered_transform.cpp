// SPDX-License-Identifier: MIT
// A filter: lines in, the same lines in upper case out, in order, by all CPUs. The input may be
// endless: what is in memory is bounded by the workers and the window, and a slow reader of the
// output slows the reading of the input.
//
//   yes | ordered_transform | head -3
#include <weir/weir.hpp>

#include <cctype>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

/// The lines that are at hand, at least one; empty at the end.
std::vector<std::string> read_lines() {
  constexpr std::size_t most = 256;
  std::vector<std::string> lines;
  for (std::string line; std::getline(std::cin, line);) {
    lines.push_back(std::move(line));
    if (lines.size() == most || std::cin.rdbuf()->in_avail() <= 0) break;
  }
  return lines;
}

int transform() {
  const auto [ctx, cancel] = weir::with_cancel(weir::background());
  const weir::channel<std::string> lines{256};
  weir::task_group reader{ctx};
  reader.go([=] {
    for (;;) {
      // Reading may block its thread for as long as it likes: say so, and other tasks go on.
      auto some = weir::blocking(read_lines);
      if (some.empty()) break;
      for (std::string& line : some) {
        if (!lines.send(ctx, std::move(line))) return;
      }
    }
    lines.close();
  });
  const auto upper = [](std::string text) {
    for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return text;
  };
  for (const std::string& line : weir::process_ordered(ctx, lines, {.window = 256}, upper)) {
    if (!(std::cout << line << '\n')) return 1;  // the reader has gone, or the disk is full
  }
  return std::cout.flush() ? 0 : 1;
}

int main() {
  std::ios::sync_with_stdio(false);
  std::cin.tie(nullptr);  // or each read would flush std::cout, which another thread writes to
  return weir::run(transform);
}
