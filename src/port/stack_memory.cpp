// SPDX-License-Identifier: MIT
#include "port/stack_memory.hpp"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>

namespace weir::port {
namespace {

constexpr int madv_guard_install = 102;  // linux/mman.h of 6.13 and later
constexpr std::size_t mprotect_guards_max = 16384;

/// Whether a guard was placed without splitting the mapping.
bool light_guard(std::byte* page, std::size_t bytes) noexcept {
  static std::atomic<bool> offered{true};
  // Ordering: relaxed; only saves system calls that would fail.
  if (!offered.load(std::memory_order_relaxed)) return false;
  if (madvise(page, bytes, madv_guard_install) == 0) return true;
  // Ordering: relaxed, as above.
  offered.store(false, std::memory_order_relaxed);
  return false;
}

void guard(std::byte* page) noexcept {
  if (light_guard(page, page_size())) return;
  static std::atomic<std::size_t> placed{0};
  // Ordering: relaxed; a count.
  if (placed.fetch_add(1, std::memory_order_relaxed) < mprotect_guards_max) {
    (void)mprotect(page, page_size(), PROT_NONE);  // without it an overflow is not caught, no more
  }
}

}  // namespace

const std::byte* thread_stack_bottom() noexcept {
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return nullptr;
  void* bottom = nullptr;
  std::size_t size = 0;
  const bool found = pthread_attr_getstack(&attributes, &bottom, &size) == 0;
  pthread_attr_destroy(&attributes);
  return found ? static_cast<const std::byte*>(bottom) : nullptr;
}

std::size_t page_size() noexcept {
  static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

std::size_t thread_stack_size() noexcept {
  std::size_t bytes = std::size_t{8} << 20U;  // the usual limit
  pthread_attr_t attributes;
  if (pthread_getattr_default_np(&attributes) == 0) {
    (void)pthread_attr_getstacksize(&attributes, &bytes);
    (void)pthread_attr_destroy(&attributes);
  }
  return bytes;
}

std::byte* map_stacks(std::size_t count, std::size_t bytes) noexcept {
  void* p = mmap(nullptr, count * bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return nullptr;
  // A huge page would make one touched stack cost eight.
  (void)madvise(p, count * bytes, MADV_NOHUGEPAGE);
  auto* base = static_cast<std::byte*>(p);
  for (std::size_t i = 0; i < count; ++i) guard(base + i * bytes);
  return base;
}

void unmap_stacks(std::byte* base, std::size_t count, std::size_t bytes) noexcept {
  (void)munmap(base, count * bytes);
}

void discard_pages(std::byte* base, std::size_t bytes) noexcept {
  (void)madvise(base, bytes, MADV_DONTNEED);
}

}  // namespace weir::port
