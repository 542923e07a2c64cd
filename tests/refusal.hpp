// SPDX-License-Identifier: MIT
#pragma once
// A system that refuses threads and memory when a test says so. For one file of a program: it
// stands in for pthread_create and operator new.

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>

#include "weir/detail/sanitizers.hpp"

namespace weir_test {

constexpr int any_number = 1 << 30;
inline std::atomic<int> threads_left{any_number};
inline std::atomic<int> refusals{0};            // of the next threads, so many
inline thread_local int allocations_left = -1;  // until one fails; negative: none does
inline thread_local bool no_memory = false;     // all fail

#if !defined(WEIR_ASAN) && !defined(WEIR_TSAN) && !defined(__clang__)
inline constexpr bool can_refuse = true;
#else
inline constexpr bool can_refuse = false;  // the sanitizer, or the compiler's library, has its own
#endif

class refusing : public testing::Test {
 protected:
  void SetUp() override {
    if (!can_refuse) GTEST_SKIP() << "the sanitizer, or the compiler's library, has its own";
  }
  void TearDown() override { threads_left = any_number; }
};

}  // namespace weir_test

#if !defined(WEIR_ASAN) && !defined(WEIR_TSAN) && !defined(__clang__)
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*start)(void*), void* argument) noexcept {
  using namespace weir_test;
  using function = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto real = reinterpret_cast<function>(dlsym(RTLD_NEXT, "pthread_create"));
  if (threads_left.fetch_sub(1) <= 0 || refusals.fetch_sub(1) > 0) return EAGAIN;
  return real(thread, attributes, start, argument);
}
[[gnu::noinline]] void* operator new(std::size_t n) {
  using namespace weir_test;
  if (no_memory) throw std::bad_alloc();
  if (allocations_left >= 0 && allocations_left-- == 0) throw std::bad_alloc();
  if (void* p = std::malloc(n)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
#endif
