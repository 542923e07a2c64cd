// SPDX-License-Identifier: MIT
// Stacks for reuse, and what stays of them in memory.
#include "support.hpp"

#include <atomic>
#include <fstream>
#include <set>
#include <thread>
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

/// Where those of a pool begin that has just been made, and ends here.
std::set<const std::byte*> first_stacks(std::size_t stack_size) {
  stack_pool pool{stack_size};
  std::set<const std::byte*> all;
  for (int i = 0; i < 4; ++i) all.insert(pool.take(1)->stack);
  return all;
}

TEST(stack_pool_test, the_first_stacks_of_one_that_has_ended_are_the_next_ones) {
  const auto before = first_stacks(std::size_t{64} * 1024);
  EXPECT_EQ(before.size(), 4U);
#if !defined(WEIR_TSAN)
  EXPECT_EQ(first_stacks(std::size_t{64} * 1024), before);
#endif
}

TEST(stack_pool_test, large_ones_go_back_to_the_system) {
  const std::size_t at_first = resident_bytes();
  {
    stack_pool pool{std::size_t{8} << 20U};
    (void)take_and_use(pool, 20, 500);
    EXPECT_GE(resident_bytes(), at_first + 20 * 500 * weir::port::page_size());
  }
  if (!weir_test::sanitized) {
    EXPECT_LT(resident_bytes(), at_first + 20 * 100 * weir::port::page_size());
  }
}

TEST(stack_pool_test, stacks_of_another_size_are_not) {
  (void)first_stacks(std::size_t{64} * 1024);
  stack_pool larger{std::size_t{256} * 1024};
  EXPECT_GT(larger.take(1)->stack_size, std::size_t{200} * 1024);
}

TEST(stack_pool_test, pools_that_end_and_begin_at_once_never_share_a_stack) {
  constexpr std::size_t size = std::size_t{64} * 1024;
  std::vector<std::thread> threads;
  std::atomic<int> shared{0};
  for (unsigned id = 1; id <= 4; ++id) {
    threads.emplace_back([&shared, id] {
      for (int round = 0; round < 300; ++round) {
        stack_pool pool{size};
        const std::vector<task*> mine = take_and_use(pool, 20, 0);
        const auto word = [](task* t) -> std::byte& { return t->stack[t->stack_size - 8]; };
        for (task* t : mine) word(t) = std::byte(id);
        std::this_thread::yield();
        for (task* t : mine) shared += word(t) == std::byte(id) ? 0 : 1;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(shared, 0);
}

}  // namespace
