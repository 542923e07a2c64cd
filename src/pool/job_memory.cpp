// SPDX-License-Identifier: MIT
// Memory for jobs. A block that a job has left is the next job's: first on the same thread, without
// a lock; what a thread has too much of goes to a common depot, for jobs are often made by one
// thread and ended by another. (Bonwick and Adams, "Magazines and Vmem", 2001.)
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include "pool/job_memory.hpp"
#include "weir/detail/interruption.hpp"
#include "weir/detail/job.hpp"
#include "weir/detail/sanitizers.hpp"
#include "weir/detail/spin_lock.hpp"

namespace weir::detail {
namespace {

// A sanitizer sees the use of a block that is over only if that is not yet another job's.
constexpr bool every_block_anew = with_asan || with_tsan;

constexpr std::size_t magazine_size = 32;    // blocks that move between a thread and the depot
constexpr std::size_t most_in_depot = 1024;  // full ones kept there: eight megabytes
constexpr std::size_t fetched_ahead = 2;     // blocks

/// A block begins a cache line, for of one that begins within one a posted job needs three lines
/// instead of two. Behind it stands what malloc gave. (Not aligned_alloc: what is given back to
/// that is too small to be its next one in the C library of Debian 12.)
[[nodiscard]] void* new_block() noexcept {
  auto* const given = static_cast<std::byte*>(std::malloc(job_block_memory));
  if (given == nullptr) return nullptr;
  const auto at = reinterpret_cast<std::uintptr_t>(given);
  std::byte* const block = given + (cache_line - at % cache_line) % cache_line;
  ::new (block + job_block_size) std::byte*(given);
  return block;
}
void free_block(void* block) noexcept {
  void* given = nullptr;
  std::memcpy(&given, static_cast<std::byte*>(block) + job_block_size, sizeof given);
  std::free(given);
}

/// Free blocks by their addresses: nobody has to touch a block, which another processor has in its
/// cache, before it is somebody's job again.
struct magazine {
  magazine* next = nullptr;  // in the depot
  std::size_t count = 0;
  std::array<void*, magazine_size> blocks;

  [[nodiscard]] bool is_full() const noexcept { return count == magazine_size; }
  void push(void* block) noexcept { blocks[count++] = block; }
  [[nodiscard]] void* pop() noexcept {
    void* const block = blocks[--count];
    if (count > fetched_ahead) fetch_job_block(blocks[count - 1 - fetched_ahead]);
    return block;
  }
};

void free_magazine(magazine* m) noexcept {
  if (m == nullptr) return;
  while (m->count > 0) free_block(m->pop());
  delete m;
}

/// Where threads exchange full magazines for empty ones.
class magazine_depot {
 public:
  /// A full one for an empty one, or null.
  [[nodiscard]] magazine* take_full(magazine* empty) noexcept {
    const unbroken of_this_thread;
    const std::lock_guard lock(lock_);
    magazine* const m = full_;
    if (m == nullptr) return nullptr;
    full_ = m->next;
    --full_count_;
    if (empty != nullptr) {
      empty->next = empty_;
      empty_ = empty;
    }
    return m;
  }
  /// An empty one, perhaps null, for a full one; what is too much is freed.
  [[nodiscard]] magazine* take_empty(magazine* full) noexcept {
    magazine* m = nullptr;
    {
      const unbroken of_this_thread;
      const std::lock_guard lock(lock_);
      m = empty_;
      if (m != nullptr) empty_ = m->next;
      if (full != nullptr && full_count_ < most_in_depot) {
        full->next = std::exchange(full_, full);
        ++full_count_;
        full = nullptr;
      }
    }
    free_magazine(full);
    return m != nullptr ? m : new (std::nothrow) magazine;
  }

 private:
  spin_lock lock_;  // guards the three below
  magazine* full_ = nullptr;
  magazine* empty_ = nullptr;
  std::size_t full_count_ = 0;
};

/// It outlives every thread, and takes no memory that might not be there.
magazine_depot& depot() noexcept {
  alignas(magazine_depot) static std::byte room[sizeof(magazine_depot)];
  static auto* const all = ::new (static_cast<void*>(room)) magazine_depot;
  return *all;
}

/// A thread's own: one that it takes from and gives to, and one that is full or empty, so that
/// neither many jobs made in a row nor many ended cost more than every 32nd a visit to the depot.
/// Without a destructor, so that nothing has to be asked when it is used.
constinit thread_local magazine* loaded = nullptr;
constinit thread_local magazine* previous = nullptr;
constinit thread_local bool thread_ended = false;

/// Gives the thread's own back when it ends.
struct at_thread_end {
  void arm() const noexcept {}
  ~at_thread_end() {
    thread_ended = true;
    free_magazine(std::exchange(loaded, nullptr));
    free_magazine(std::exchange(previous, nullptr));
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

/// Makes `loaded` one that has a block; false: there is none.
[[nodiscard]] bool load_full() noexcept {
  if (previous != nullptr && previous->count > 0) {
    std::swap(loaded, previous);
    return true;
  }
  if (!may_keep()) return false;
  magazine* const m = depot().take_full(previous);
  if (m == nullptr) return false;
  previous = std::exchange(loaded, m);
  return true;
}

/// Makes `loaded` one that has room; false: there is none.
/// (maybe_unused: with every_block_anew it is, and clang says so.)
[[nodiscard, maybe_unused]] bool load_empty() noexcept {
  if (previous != nullptr && previous->count == 0) {
    std::swap(loaded, previous);
    return true;
  }
  if (!may_keep()) return false;
  magazine* const m = depot().take_empty(std::exchange(previous, nullptr));
  if (m == nullptr) return false;
  previous = std::exchange(loaded, m);
  return true;
}

}  // namespace

// Not inlined: a task may be on another thread after anything that waits, and the address of a
// thread-local must not be kept over that.
__attribute__((noinline)) void* allocate_job(std::size_t size) {
  if constexpr (every_block_anew) return ::operator new(std::max(size, job_block_size));
  void* block = nullptr;
  if (size > job_block_size) {
    block = std::malloc(size);
  } else if ((loaded != nullptr && loaded->count > 0) || load_full()) {
    return loaded->pop();
  } else {
    block = new_block();
  }
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

__attribute__((noinline)) void deallocate_job(void* block, std::size_t size) noexcept {
  if constexpr (every_block_anew) {
    ::operator delete(block);
  } else if (size > job_block_size) {
    std::free(block);
  } else if ((loaded != nullptr && !loaded->is_full()) || load_empty()) {
    loaded->push(block);
  } else {
    free_block(block);
  }
}

}  // namespace weir::detail
