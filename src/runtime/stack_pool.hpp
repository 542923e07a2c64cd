// SPDX-License-Identifier: MIT
#pragma once
// Stacks, each with its task header, for reuse: a carrier keeps a few of its own (stack_cache), the
// rest are here. Stacks are got from the kernel many at a time and given back only as a whole, when
// the runtime ends, but for its first 20, which the next one gets. The pages of free ones beyond
// `warm_max`, their headers' too, go back when it has been idle for a while: of each of those an
// address stays, here, and its address space.

#include <cstddef>
#include <mutex>
#include <new>
#include <vector>

#include "runtime/task.hpp"

namespace weir::detail {

class stack_pool {
 public:
  explicit stack_pool(std::size_t stack_size) noexcept : stack_size_(stack_size) {}
  [[nodiscard]] std::size_t stack_size() const noexcept { return stack_size_; }
  ~stack_pool();
  stack_pool(const stack_pool&) = delete;
  stack_pool& operator=(const stack_pool&) = delete;

  /// Up to `wanted` free tasks, linked by next; at least one. Throws std::bad_alloc.
  [[nodiscard]] task* take(std::size_t wanted);
  /// Takes back a chain of `count`, which ends with `last`.
  void give(task* first, task* last, std::size_t count) noexcept;
  void give(task* one) noexcept { give(one, one, 1); }
  /// Gives the pages of all but a few free stacks back to the kernel.
  void trim() noexcept;
  /// Every task that ever was, alive or not; f must not wait, or start a task.
  template <class F>
  void for_each(F f) {
    const std::lock_guard lock(m_);
    for (const slab& s : slabs_) {
      for (std::size_t i = 0; i < s.count; ++i) f(header(s.base + i * stack_size_));
    }
  }
  /// Keeps the address space when this ends: something may still point into it.
  void leak() noexcept { leaked_ = true; }

 private:
  struct slab {
    std::byte* base;
    std::size_t count;
  };
  static constexpr std::size_t slab_max = 64;
  static constexpr std::size_t warm_max = 256;

  // The header is at the top: in the page that every task touches anyway. Not quite at the top:
  // the same frames of many tasks would all compete for the same few sets of the cache.
  static constexpr std::size_t header_size = (sizeof(task) + 63) / 64 * 64;
  static constexpr std::size_t colours = 16;
  [[nodiscard]] std::byte* header_place(std::byte* stack) const noexcept {
    const std::size_t colour = reinterpret_cast<std::uintptr_t>(stack) / stack_size_ % colours;
    return stack + stack_size_ - header_size - colour * 64;
  }
  [[nodiscard]] task& header(std::byte* stack) const noexcept {
    return *std::launder(reinterpret_cast<task*>(header_place(stack)));
  }

  void grow();
  void add_free(std::byte* stack) noexcept;
  void find_leaks_in(const slab& s, bool on) noexcept;

  const std::size_t stack_size_;
  std::mutex m_;  // guards all below
  task* free_ = nullptr;
  std::size_t free_count_ = 0;
  std::vector<std::byte*> cold_;  // free, too, and without pages: used last
  std::vector<slab> slabs_;
  bool leaked_ = false;
};

/// A carrier's own few free tasks.
class stack_cache {
 public:
  [[nodiscard]] task* take(stack_pool& pool) {
    if (count_ == 0) refill(pool);
    task* t = first_;
    first_ = t->next;
    count_ -= 1;
    return t;
  }
  void give(task* t, stack_pool& pool) noexcept {
    t->next = first_;
    first_ = t;
    count_ += 1;
    if (count_ > max) drain(pool, max / 2);
  }
  /// Gives all but `keep` back.
  void drain(stack_pool& pool, std::size_t keep) noexcept;

 private:
  static constexpr std::size_t max = 64;
  void refill(stack_pool& pool);

  relaxed<task*> first_{nullptr};
  relaxed<std::size_t> count_{0};
};

}  // namespace weir::detail
