// SPDX-License-Identifier: MIT
// Jobs that make jobs, and wait for them: a quicksort on a pool with one worker and room for one
// job in its queue. It ends, whatever the sizes: on a full queue a job runs the new one itself, and
// one that waits for a queued one runs that.
//   example_recursion
#include <weir/weir.hpp>

#include <algorithm>
#include <cstddef>
#include <iostream>
#include <random>
#include <span>
#include <vector>

namespace {

constexpr std::size_t worth_a_job = 1000;

void sort(const weir::pool<>& crew, std::span<int> all) {
  if (all.size() < worth_a_job) {
    std::ranges::sort(all);
    return;
  }
  const int pivot = all[all.size() / 2];
  const auto not_less = std::ranges::partition(all, [&](int n) { return n < pivot; });
  const auto greater = std::ranges::partition(not_less, [&](int n) { return n == pivot; });
  const std::span<int> low(all.begin(), not_less.begin());
  const std::span<int> high(greater.begin(), greater.end());

  weir::future<void> half = crew.submit([&crew, low] { sort(crew, low); });
  sort(crew, high);
  half.get();
}

}  // namespace

int main() {
  std::vector<int> numbers(1'000'000);
  std::ranges::generate(numbers, std::mt19937(42));

  const weir::pool crew{{.workers = 1, .queue = 1}};  // ends before the numbers do
  crew.submit([&] { sort(crew, numbers); }).get();

  std::cout << (std::ranges::is_sorted(numbers) ? "sorted" : "not sorted") << ", by "
            << (crew.stats().done > 1000 ? "more than a thousand jobs\n" : "few jobs\n");
}
