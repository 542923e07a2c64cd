// SPDX-License-Identifier: MIT
// What a pool costs in memory: nothing a job once it is warm, and the same however many pass.
// WEIR_LONG=1 in the environment lets a hundred million jobs pass instead of three
// (`make long`).
#include "support.hpp"

#include <malloc.h>
#include <cstdlib>

#include <array>
#include <fstream>
#include <new>

namespace {

std::atomic<std::int64_t> made{0};

void* counted(std::size_t size) {
  ++made;
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}

}  // namespace

// Weak: a sanitizer has its own, and nothing is counted then.
#define WEIR_WEAK __attribute__((weak))
WEIR_WEAK void* operator new(std::size_t size) { return counted(size); }
WEIR_WEAK void operator delete(void* p) noexcept { std::free(p); }
WEIR_WEAK void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace {

using namespace weir_test;
using namespace weir;

/// Kilobytes of this process that are in memory now.
std::int64_t resident_kib() {
  std::ifstream in("/proc/self/status");
  for (std::string word; in >> word;) {
    std::int64_t kib = 0;
    if (word == "VmRSS:" && in >> kib) return kib;
  }
  return 0;
}

class pool_memory_test : public testing::TestWithParam<host> {};
INSTANTIATE_TEST_SUITE_P(, pool_memory_test, testing::Values(host::tasks, host::threads),
                         [](const auto& of) {
                           return of.param == host::tasks ? "tasks" : "threads";
                         });

TEST_P(pool_memory_test, a_warm_pool_allocates_nothing_for_a_job) {
  if (sanitized) GTEST_SKIP() << "a sanitizer allocates";
  pool p{{.workers = 2, .queue = 64, .host = GetParam()}};
  const auto some = [&](int n) {
    for (int i = 0; i < n; ++i) {
      p.post([] {});
      EXPECT_EQ(p.submit([i, j = i, k = i] { return i + j - k; }).get(), i);
    }
    p.wait();
  };
  some(2000);
  const std::int64_t before = made;
  some(1000);
  EXPECT_LE(made - before, 4) << "in 2,000 jobs: of the runtime, which may start a thread";
}

TEST_P(pool_memory_test, memory_stays_the_same_however_many_pass) {
  if (sanitized) GTEST_SKIP() << "a sanitizer keeps what is freed";
  const std::int64_t all = std::getenv("WEIR_LONG") != nullptr ? 100'000'000 : 3'000'000;
  pool p{{.workers = 8, .queue = 1024, .host = GetParam()}};
  std::int64_t after_the_first = 0;
  for (std::int64_t i = 1; i <= all; ++i) {
    p.post([] {});
    if (i == 1'000'000) after_the_first = resident_kib();
  }
  p.wait();
  EXPECT_EQ(p.stats().done, static_cast<std::uint64_t>(all));
  EXPECT_LE(resident_kib(), after_the_first + 1024);
  EXPECT_LE(resident_kib(), 16 * 1024);
}

TEST(pool_memory, a_large_function_is_gone_when_the_next_one_begins) {
  if (sanitized) GTEST_SKIP() << "a sanitizer keeps what is freed";
  const auto used = [] {
    const auto m = mallinfo2();
    return static_cast<std::int64_t>(m.uordblks + m.hblkhd);
  };
  constexpr std::int64_t size = 512 * 1024;
  const pool p{{.workers = 1, .queue = 4}};
  const channel<int> hold;
  const std::array<char, size> large{};
  std::int64_t left = 0;
  // One job runs, one is in the queue, and the others came in beside it: when they are taken in as
  // well, the worker takes one after the other the short way.
  p.post([=] { (void)hold.receive(); });
  p.post([] {});
  p.post([large] { EXPECT_EQ(large.front(), 0); });
  const channel<int> done;
  p.post([&] {
    left = used();
    done.send(0);
  });
  const std::int64_t before = used();
  hold.close();
  (void)done.receive();  // (not wait(): who waits in it is told of each end, by the longer way)
  EXPECT_LT(left, before - size / 2);
}

}  // namespace
