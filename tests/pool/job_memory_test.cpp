// SPDX-License-Identifier: MIT
// The blocks that jobs are made in, by themselves.
#include "pool/job_memory.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <set>

#include "support.hpp"

namespace {

using weir::detail::allocate_job;
using weir::detail::cache_line;
using weir::detail::deallocate_job;
using weir::detail::job_block_size;

[[nodiscard]] bool begins_a_cache_line(const void* block) {
  return reinterpret_cast<std::uintptr_t>(block) % cache_line == 0;
}

TEST(job_memory_test, a_block_begins_a_cache_line) {
  if (weir_test::sanitized) GTEST_SKIP() << "a sanitizer's own memory";
  for (const std::size_t size : {std::size_t{1}, job_block_size, job_block_size + 1}) {
    std::multiset<void*> blocks;
    for (int i = 0; i < 100; ++i) {
      void* const block = allocate_job(size);
      EXPECT_TRUE(begins_a_cache_line(block)) << size;
      blocks.insert(block);
    }
    for (void* const block : blocks) deallocate_job(block, size);
  }
}

TEST(job_memory_test, a_posted_job_of_a_small_function_is_in_two_cache_lines) {
  auto small = [f = std::function<void()>()] { f(); };
  using posted = weir::detail::posted_job<decltype(small), void>;
  EXPECT_LE(sizeof(posted), 2 * cache_line);
}

TEST(job_memory_test, a_block_that_was_given_back_is_the_next_ones) {
  if (weir_test::sanitized) GTEST_SKIP() << "to find uses of blocks that are over";
  void* const first = allocate_job(job_block_size);
  deallocate_job(first, job_block_size);
  void* const second = allocate_job(job_block_size);
  EXPECT_EQ(first, second);
  deallocate_job(second, job_block_size);
}

}  // namespace
