// SPDX-License-Identifier: MIT
// Streams where there are no threads, and no memory.
#include "support.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <cerrno>
#include <new>

#include "numbers.hpp"

namespace {
std::atomic<bool> no_threads{false};
thread_local bool no_memory = false;
}  // namespace

#if !defined(WEIR_ASAN) && !defined(WEIR_TSAN) && !defined(__clang__)
#define WEIR_CAN_REFUSE 1
// In place of the system's: refuses when a test says so.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*start)(void*), void* argument) noexcept {
  using function = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto real = reinterpret_cast<function>(dlsym(RTLD_NEXT, "pthread_create"));
  return no_threads ? EAGAIN : real(thread, attributes, start, argument);
}
[[gnu::noinline]] void* operator new(std::size_t n) {
  if (no_memory) throw std::bad_alloc();
  if (void* p = std::malloc(n)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
#else
#define WEIR_CAN_REFUSE 0
#endif

namespace {

using namespace weir_test;
using namespace weir;

class process_hardship : public testing::Test {
 protected:
  void SetUp() override {
    if (!WEIR_CAN_REFUSE) GTEST_SKIP() << "the sanitizer, or the compiler's library, has its own";
    run([] {});  // the runtime has its threads
  }
  void TearDown() override { no_threads = false; }
};

const auto same = [](int i) { return i; };

TEST_F(process_hardship, a_stream_without_a_thread_for_its_worker_says_so) {
  no_threads = true;
  const auto code = [](const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::system_error& e) {
      return e.code();
    }
  };
  const auto why = std::make_error_code(std::errc::resource_unavailable_try_again);
  try {
    (void)map(background(), numbers(3), {.workers = 2, .host = host::threads}, same).to_vector();
    ADD_FAILURE() << "with what thread?";
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), why) << e.what();
  }
  auto s = process(background(), numbers(3),
                   {.workers = 2, .on_error = on_error::collect, .host = host::threads}, same);
  int failures = 0;
  for (auto& o : s.outcomes()) {
    ASSERT_FALSE(o.has_value());
    EXPECT_EQ(code(o.error()), why);
    ++failures;
  }
  EXPECT_GE(failures, 1);
}

TEST_F(process_hardship, a_stream_is_left_without_memory) {
  // (By a thread: what a carrier does beside its tasks wants memory.)
  const channel<int> jobs{1};
  jobs.send(1);
  auto s = std::make_optional(process(background(), jobs, {.workers = 2}, same));
  EXPECT_EQ(*s->begin(), 1);
  no_memory = true;
  s.reset();
  no_memory = false;
}

}  // namespace
