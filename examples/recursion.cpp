// SPDX-License-Identifier: MIT
// Jobs that make jobs and wait for them, on a pool of one worker and a queue of one: where a pool
// that only waits would wait for itself for ever, the waiting job runs what it waits for.
//
// Here a merge sort, in which each half is a job.
#include <weir/weir.hpp>

#include <algorithm>
#include <iostream>
#include <span>
#include <vector>

void sort(const weir::pool<>& p, std::span<int> numbers) {
  if (numbers.size() < 64) {  // a job should not be smaller than what it costs to hand it over
    std::ranges::sort(numbers);
    return;
  }
  const std::size_t half = numbers.size() / 2;
  auto left = p.submit([&p, first = numbers.first(half)] { sort(p, first); });
  sort(p, numbers.subspan(half));
  left.get();
  std::ranges::inplace_merge(numbers, numbers.begin() + static_cast<std::ptrdiff_t>(half));
}

int main() {
  for (const int workers : {1, 4}) {
    std::vector<int> numbers(100'000);
    unsigned x = 1;
    for (int& n : numbers) n = static_cast<int>((x = x * 1664525U + 1013904223U) >> 8U);

    const weir::pool p{{.workers = workers, .queue = 1}};
    p.submit([&] { sort(p, numbers); }).get();
    std::cout << workers << " worker" << (workers > 1 ? "s" : "") << ": "
              << (std::ranges::is_sorted(numbers) ? "sorted" : "not sorted") << ", "
              << p.stats().done << " jobs\n";
  }
}
