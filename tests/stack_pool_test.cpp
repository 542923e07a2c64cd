// SPDX-License-Identifier: MIT
// Stacks for reuse, and what stays of them in memory.
#include "support.hpp"

#include <fstream>
#include <set>
#include <vector>

#include "port/stack_memory.hpp"
#include "runtime/stack_pool.hpp"

namespace {

using namespace weir::detail;

/// Of this process, in memory.
std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t all = 0;
  std::size_t resident = 0;
  file >> all >> resident;
  return resident * weir::port::page_size();
}

/// Tasks that have used so much each, besides their header's page.
std::vector<task*> take_and_use(stack_pool& pool, std::size_t tasks, std::size_t pages) {
  std::vector<task*> taken;
  while (taken.size() < tasks) {
    task* const t = pool.take(1);
    for (std::size_t n = 2; n < 2 + pages; ++n) {
      t->stack[t->stack_size - n * weir::port::page_size()] = std::byte{1};
    }
    taken.push_back(t);
  }
  return taken;
}

TEST(stack_pool_test, of_free_stacks_but_a_few_nothing_stays_in_memory_after_trim) {
  constexpr std::size_t tasks = 4000;
  constexpr std::size_t pages = 2;
  stack_pool pool{std::size_t{64} * 1024};
  const std::size_t at_first = resident_bytes();
  for (task* t : take_and_use(pool, tasks, pages)) pool.give(t);
  const std::size_t used = resident_bytes() - at_first;
  EXPECT_GE(used, tasks * pages * weir::port::page_size());
  pool.trim();
  if (!weir_test::sanitized) {  // whose notes of it stay
    EXPECT_LT(resident_bytes(), at_first + used / 5);
  }
  const std::vector<task*> again = take_and_use(pool, tasks, pages);
  EXPECT_EQ(std::set<task*>(again.begin(), again.end()).size(), tasks) << "none twice";
  for (task* t : again) {
    EXPECT_FALSE(t->alive);
    pool.give(t);
  }
}

}  // namespace
