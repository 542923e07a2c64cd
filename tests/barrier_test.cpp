// SPDX-License-Identifier: MIT
// The barrier on all processors, of which the kernel has to be told before.
#include "port/barrier.hpp"

#include <gtest/gtest.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

// With threads around that takes the kernel milliseconds, in whoever needs the first one.
TEST(barrier, the_kernel_was_told_before_main) {
  const bool was_told = syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
  EXPECT_EQ(was_told, weir::port::has_process_barrier());
}

}  // namespace
