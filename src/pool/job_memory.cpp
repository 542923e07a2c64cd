// SPDX-License-Identifier: MIT
// Memory for jobs. A block that a job has left is the next job's: first on the same thread, without
// a lock; what a thread has too much of goes to a common list, for jobs are often made by one
// thread and ended by another.
#include <cstdlib>
#include <mutex>
#include <new>

#include "pool/job_memory.hpp"
#include "weir/detail/job.hpp"
#include "weir/detail/spin_lock.hpp"

namespace weir::detail {
namespace {

// A sanitizer sees the use of a block that is over only if that is not yet another job's.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr bool every_block_anew = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
constexpr bool every_block_anew = true;
#else
constexpr bool every_block_anew = false;
#endif
#else
constexpr bool every_block_anew = false;
#endif

struct free_block {
  free_block* next;
};

/// A stack of free blocks.
struct free_list {
  free_block* head = nullptr;
  int count = 0;

  void push(free_block* b) noexcept {
    b->next = head;
    head = b;
    ++count;
  }
  [[nodiscard]] free_block* pop() noexcept {
    free_block* const b = head;
    if (b != nullptr) {
      head = b->next;
      --count;
    }
    return b;
  }
};

constexpr int batch = 32;             // what moves between a thread and the common list
constexpr int common_batches = 1024;  // kept at most: six megabytes

/// Batches of free blocks, linked by their first blocks' second word.
class common_blocks {
 public:
  [[nodiscard]] bool take(free_list& to) noexcept {
    const std::lock_guard lock(lock_);
    for (int i = 0; i < batch && blocks_.count > 0; ++i) to.push(blocks_.pop());
    return to.count > 0;
  }
  /// Gives back the batch; false if there are enough.
  [[nodiscard]] bool give(free_list& from, int n) noexcept {
    const std::lock_guard lock(lock_);
    if (blocks_.count >= batch * common_batches) return false;
    for (int i = 0; i < n; ++i) blocks_.push(from.pop());
    return true;
  }

 private:
  spin_lock lock_;  // guards blocks_
  free_list blocks_;
};

common_blocks& common() {
  static auto* const all = new common_blocks;  // outlives every thread
  return *all;
}

/// A thread's own; back to the common list when it ends.
struct own_blocks {
  free_list free;
  ~own_blocks() {
    if (common().give(free, free.count)) return;
    while (free_block* b = free.pop()) std::free(b);
  }
};

thread_local own_blocks own;

}  // namespace

// Not inlined: a task may be on another thread after anything that waits, and the address of a
// thread-local must not be kept over that.
__attribute__((noinline)) void* allocate_job(std::size_t size) {
  if constexpr (every_block_anew) return ::operator new(size);
  if (size <= job_block_size) {
    if (free_block* b = own.free.pop()) return b;
    if (common().take(own.free)) return own.free.pop();
    size = job_block_size;
  }
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}

__attribute__((noinline)) void deallocate_job(void* block, std::size_t size) noexcept {
  if constexpr (every_block_anew) {
    ::operator delete(block);
    return;
  }
  if (size > job_block_size) {
    std::free(block);
    return;
  }
  own.free.push(static_cast<free_block*>(block));
  if (own.free.count < 2 * batch) return;
  if (common().give(own.free, batch)) return;
  for (int i = 0; i < batch; ++i) std::free(own.free.pop());
}

}  // namespace weir::detail
