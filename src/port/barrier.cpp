// SPDX-License-Identifier: MIT
#include "port/barrier.hpp"

#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <mutex>

namespace weir::port {
namespace {

bool register_once() noexcept {
  const long offered = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
  return offered > 0 && (offered & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0 &&
         syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

/// Where the system call is missing or forbidden: taking write access from a page makes the kernel
/// interrupt every processor on which this process runs.
void barrier_by_mprotect() noexcept {
  static std::mutex m;  // guards the page's access
  const std::lock_guard lock(m);
  static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  static void* const page =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return;
  (void)mprotect(page, size, PROT_READ | PROT_WRITE);
  *static_cast<volatile char*>(page) = 1;  // the page is present, so that there is access to take
  (void)mprotect(page, size, PROT_READ);
}

}  // namespace

bool has_process_barrier() noexcept {
  static const bool has_call = register_once();
  return has_call;
}

namespace {

// As the program is loaded, while it has one thread. Later the kernel would let the caller wait
// until every processor has been somewhere else, for some 5 to 15 ms: and that would be whoever is
// the first to use a lock often, with the lock in hand.
[[maybe_unused]] const bool registered_early = has_process_barrier();

}  // namespace

void process_barrier() noexcept {
  if (!has_process_barrier() ||
      syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0) {
    barrier_by_mprotect();
  }
}

}  // namespace weir::port
