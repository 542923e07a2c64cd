// SPDX-License-Identifier: MIT
#include "runtime/stack_pool.hpp"

#include <algorithm>
#include <array>
#include <mutex>
#include <new>
#include <utility>

#include "port/stack_memory.hpp"
#include "runtime/sanitizer.hpp"

#if defined(WEIR_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif

namespace weir::detail {
namespace {

/// A runtime's first stacks, left for the next one. Who starts many, one after the other, as
/// explore() does, would have the kernel map and clear their pages each time: half of the time of a
/// small schedule. There are at most 4 + 16 of them, of the usual size at most. AddressSanitizer
/// sees who comes back to them too late; with ThreadSanitizer there is none, which is to forget
/// what was there.
class kept_slabs {
 public:
  /// Null: there is none like it. (Who finds another here does not wait: it may be the thread of a
  /// process that has forked.)
  std::byte* take(std::size_t count, std::size_t stack_size) noexcept {
    const std::unique_lock lock(m_, std::try_to_lock);
    if (!lock || !is_small(count, stack_size)) return nullptr;
    slab& s = place(count);
    if (s.count != count || s.stack_size != stack_size) return nullptr;
    mark(s, false);
    return std::exchange(s, {}).base;
  }
  /// Instead of another, if there is one: the next will want what the last one had.
  void give(std::byte* base, std::size_t count, std::size_t stack_size) noexcept {
    slab old{base, count, stack_size};
    if (const std::unique_lock lock(m_, std::try_to_lock); lock && is_small(count, stack_size)) {
      mark(old, true);
      std::swap(old, place(count));
    }
    if (old.base == nullptr) return;
    // The frames that ended there left their marks; the kernel may hand the addresses out again.
    mark(old, false);
    port::unmap_stacks(old.base, old.count, old.stack_size);
  }

 private:
  struct slab {
    std::byte* base = nullptr;
    std::size_t count = 0;
    std::size_t stack_size = 0;
  };
  static constexpr std::size_t most = 16;
  static constexpr std::size_t bytes_max = std::size_t{4} << 20U;
  [[nodiscard]] static bool is_small(std::size_t count, std::size_t stack_size) noexcept {
    return !with_tsan && count <= most && stack_size <= bytes_max / count;
  }
  static void mark([[maybe_unused]] const slab& s, [[maybe_unused]] bool out_of_use) noexcept {
#if defined(WEIR_ASAN)
    if (out_of_use) {
      __asan_poison_memory_region(s.base, s.count * s.stack_size);
    } else {
      __asan_unpoison_memory_region(s.base, s.count * s.stack_size);
    }
#endif
  }
  [[nodiscard]] slab& place(std::size_t count) noexcept { return slabs_[count <= 4 ? 0 : 1]; }

  std::mutex m_;  // guards slabs_
  std::array<slab, 2> slabs_;
};
constinit kept_slabs left_behind;

}  // namespace

/// What only a task that waits, or was abandoned, points to is no leak. Guard pages cannot be read.
void stack_pool::find_leaks_in([[maybe_unused]] const slab& s, [[maybe_unused]] bool on) noexcept {
#if defined(WEIR_ASAN)
  const std::size_t page = port::page_size();
  for (std::size_t i = 0; i < s.count; ++i) {
    const std::byte* stack = s.base + i * stack_size_ + page;
    if (on) {
      __lsan_register_root_region(stack, stack_size_ - page);
    } else {
      __lsan_unregister_root_region(stack, stack_size_ - page);
    }
  }
#endif
}

stack_pool::~stack_pool() {
  if (leaked_) return;
  for (const slab& s : slabs_) {
    find_leaks_in(s, false);
    left_behind.give(s.base, s.count, stack_size_);
  }
}

void stack_pool::grow() {
  // Few at first: most programs have few tasks, and the guards of a whole slab cost a while.
  std::size_t count =
      std::min(slab_max, std::size_t{4} << (2 * std::min<std::size_t>(slabs_.size(), 2)));
  slabs_.reserve(slabs_.size() + 1);
  std::byte* base = left_behind.take(count, stack_size_);
  if (base == nullptr) base = port::map_stacks(count, stack_size_);
  while (base == nullptr && count > 1) {  // address space may be short where stacks are large
    count /= 2;
    base = port::map_stacks(count, stack_size_);
  }
  if (base == nullptr) throw std::bad_alloc();
  slabs_.push_back({base, count});
  find_leaks_in(slabs_.back(), true);
  for (std::size_t i = 0; i < count; ++i) add_free(base + i * stack_size_);
}

/// With a new header: it has none yet, or that went with its page.
void stack_pool::add_free(std::byte* stack) noexcept {
  std::byte* const top = header_place(stack);
  auto* t = ::new (top) task;
  made_task_header(t, sizeof *t);
  t->stack = stack;
  t->stack_size = static_cast<std::size_t>(top - stack);
  t->next = free_;
  free_ = t;
  free_count_ += 1;
}

task* stack_pool::take(std::size_t wanted) {
  const std::lock_guard lock(m_);
  while (free_count_ < wanted && !cold_.empty()) {
    add_free(cold_.back());
    cold_.pop_back();
  }
  if (free_ == nullptr) grow();
  task* first = free_;
  task* last = first;
  std::size_t n = 1;
  for (; n < wanted && last->next != nullptr; ++n) last = last->next;
  free_ = last->next;
  last->next = nullptr;
  free_count_ -= n;
  return first;
}

void stack_pool::give(task* first, task* last, std::size_t count) noexcept {
  const std::lock_guard lock(m_);
  last->next = free_;
  free_ = first;
  free_count_ += count;
}

void stack_pool::trim() noexcept try {
  std::vector<std::byte*> cooling;
  {
    const std::lock_guard lock(m_);
    if (free_count_ <= warm_max) return;
    cooling.reserve(free_count_ - warm_max);
    task* last_warm = free_;
    for (std::size_t n = 1; n < warm_max; ++n) last_warm = last_warm->next;
    for (task* t = last_warm->next; t != nullptr; t = t->next) cooling.push_back(t->stack);
    last_warm->next = nullptr;
    free_count_ = warm_max;
  }
  // Without the lock: it takes a while, less if neighbours go together. A dump that looks at a
  // header meanwhile, or later, finds zeros there: a task that is not alive.
  std::sort(cooling.begin(), cooling.end());
  for (std::size_t from = 0, to = 0; from < cooling.size(); from = to) {
    for (to = from + 1; to < cooling.size() && cooling[to] == cooling[to - 1] + stack_size_;) ++to;
    port::discard_pages(cooling[from], (to - from) * stack_size_);
  }
  const std::lock_guard lock(m_);
  cold_.insert(cold_.end(), cooling.begin(), cooling.end());
} catch (const std::bad_alloc&) {  // NOLINT: the next time; at worst addresses are used no more
}

void stack_cache::refill(stack_pool& pool) {
  task* chain = pool.take(max / 2);
  std::size_t n = 0;
  for (task* t = chain; t != nullptr; t = t->next) ++n;
  first_ = chain;
  count_ = n;
}

void stack_cache::drain(stack_pool& pool, std::size_t keep) noexcept {
  if (count_ <= keep) return;
  const std::size_t n = count_ - keep;
  task* const first = first_;
  task* last = first;
  for (std::size_t i = 1; i < n; ++i) last = last->next;
  first_ = last->next;
  count_ = keep;
  pool.give(first, last, n);
}

}  // namespace weir::detail
