// SPDX-License-Identifier: MIT
// The blocks that jobs are made in, by themselves.
#include "pool/job_memory.hpp"

#include <gtest/gtest.h>

#include <malloc.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

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
  std::vector<void*> blocks;
  for (int i = 0; i < 100; ++i) {
    blocks.push_back(allocate_job(job_block_size));
    EXPECT_TRUE(begins_a_cache_line(blocks.back()));
    std::memset(blocks.back(), 0xff, job_block_size);
  }
  for (void* const block : blocks) deallocate_job(block, job_block_size);
}

// With something small between them, which stays, the C library's aligned_alloc would never use
// what was given back.
TEST(job_memory_test, what_is_given_back_is_used_again) {
  if (weir_test::sanitized) GTEST_SKIP() << "a sanitizer's own memory";
  constexpr std::size_t many = 100'000;  // more than is kept
  for (const std::size_t size : {job_block_size, job_block_size + 200}) {
    std::vector<std::unique_ptr<std::array<char, 64>>> kept;
    std::vector<void*> blocks;
    std::size_t before = 0;
    for (int wave = 0; wave < 4; ++wave) {
      for (std::size_t i = 0; i < many; ++i) {
        blocks.push_back(allocate_job(size));
        if (i % 8 == 0) kept.push_back(std::make_unique<std::array<char, 64>>());
      }
      for (void* const block : blocks) deallocate_job(block, size);
      blocks.clear();
      const std::size_t now = mallinfo2().arena;  // what the C library has of the system
      if (wave > 0) {
        EXPECT_LT(now, before + many * size / 8) << size << ", wave " << wave;
      }
      before = now;
    }
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
