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

/// A thread's own. Without a destructor, so that nothing has to be asked when it is used.
constinit thread_local free_list own;
constinit thread_local bool thread_ended = false;

/// Gives the thread's own back when it ends.
struct at_thread_end {
  void arm() const noexcept {}
  ~at_thread_end() {
    thread_ended = true;
    if (common().give(own, own.count)) return;
    while (free_block* b = own.pop()) std::free(b);
  }
};
thread_local const at_thread_end end_of_thread;

/// To be asked before the first block is kept: by a thread that is ending nothing is, for nobody
/// would give it back.
[[nodiscard]] bool may_keep() noexcept {
  if (thread_ended) return false;
  end_of_thread.arm();  // its first use is what has its destructor called
  return true;
}

}  // namespace

// Not inlined: a task may be on another thread after anything that waits, and the address of a
// thread-local must not be kept over that.
__attribute__((noinline)) void* allocate_job(std::size_t size) {
  if constexpr (every_block_anew) return ::operator new(size);
  if (size <= job_block_size) {
    if (free_block* b = own.pop()) {
      fetch_job_block(own.head);  // the processor that ended its last job may have it
      return b;
    }
    if (may_keep() && common().take(own)) return own.pop();
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
  if (own.count == 0 && !may_keep()) {
    std::free(block);
    return;
  }
  own.push(static_cast<free_block*>(block));
  if (own.count < 2 * batch) return;
  if (common().give(own, batch)) return;
  for (int i = 0; i < batch; ++i) std::free(own.pop());
}

}  // namespace weir::detail
