// SPDX-License-Identifier: MIT
// What contexts cost: allocations, what stays behind, threads; the numbers are those of
// docs/semantics.md.
#include "support.hpp"

#include <fstream>
#include <new>
#include <sstream>
#include <stop_token>

// ---- counting allocations, of this whole program ------------------------------------------------

namespace {

std::atomic<std::int64_t> made{0};
std::atomic<std::int64_t> freed{0};

void* counted(std::size_t size, std::size_t align) {
  ++made;
  const std::size_t rounded = (std::max<std::size_t>(size, 1) + align - 1) / align * align;
  void* p = std::aligned_alloc(align, rounded);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}
void uncounted(void* p) noexcept {
  if (p == nullptr) return;
  ++freed;
  std::free(p);
}

}  // namespace

// Weak: a sanitizer has its own, and nothing is counted then.
#define WEIR_WEAK __attribute__((weak))
WEIR_WEAK void* operator new(std::size_t size) { return counted(size, alignof(std::max_align_t)); }
WEIR_WEAK void* operator new(std::size_t size, std::align_val_t align) {
  return counted(size, static_cast<std::size_t>(align));
}
WEIR_WEAK void operator delete(void* p) noexcept { uncounted(p); }
WEIR_WEAK void operator delete(void* p, std::size_t) noexcept { uncounted(p); }
WEIR_WEAK void operator delete(void* p, std::align_val_t) noexcept { uncounted(p); }
WEIR_WEAK void operator delete(void* p, std::size_t, std::align_val_t) noexcept { uncounted(p); }

namespace {

using namespace weir_test;
using namespace weir;

/// Allocations of one f, on average and rounded down, as Go's AllocsPerRun counts them.
template <class F>
std::int64_t allocations(F f) {
  constexpr int runs = 100;
  f();
  const std::int64_t before = made;
  for (int i = 0; i < runs; ++i) f();
  return (made - before) / runs;
}

TEST(context_price_test, r78_allocations_are_within_gos_budget) {
  if (made == 0) GTEST_SKIP() << "a sanitizer allocates";
  const context ctx = background();
  EXPECT_EQ(allocations([] { (void)background(); }), 0);
  EXPECT_EQ(allocations([] { EXPECT_FALSE(background().error() || background().cancelled()); }), 0);
  EXPECT_LE(allocations([&] { (void)with_value(ctx, 1, 1); }), 3);
  EXPECT_LE(allocations([&] { (void)with_cancel(ctx); }), 5);
  EXPECT_LE(allocations([&] { with_cancel(ctx).cancel(); }), 5);
  EXPECT_LE(allocations([&] { with_timeout(ctx, 1h).cancel(); }), 8);
  EXPECT_LE(allocations([&] {
              auto [timed, cancel] = with_timeout(ctx, 1ns);
              (void)timed.done().receive();
            }),
            12);
  auto [parent, cancel] = with_cancel(ctx);
  EXPECT_LE(allocations([&, p = parent] { (void)with_cancel(with_value(p, 1, 1)); }), 3 + 5);
  EXPECT_EQ(allocations([&, p = parent] { (void)(p.cancelled() || p.error() || p.cause()); }), 0);
}

TEST(context_price_test, r60_r66_children_that_are_gone_leave_nothing_behind) {
  if (made == 0) GTEST_SKIP() << "a sanitizer allocates";
  auto [parent, cancel] = with_cancel(background());
  std::stop_source source;
  const auto turn = [&, parent = parent] {
    (void)with_cancel(parent);
    with_timeout(with_value(parent, 1, 1), 1h).cancel();
    (void)after_func(parent, [] { ADD_FAILURE() << "it was stopped"; }).stop();
    (void)context(source.get_token());
    (void)without_cancel(parent);
  };
  turn();
  const std::int64_t live = made - freed;
  for (int i = 0; i < turns(20'000); ++i) turn();
  EXPECT_LT(made - freed, live + 100);
  EXPECT_FALSE(parent.cancelled());
}

int threads() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Threads:")) return std::stoi(line.substr(8));
  }
  return 0;
}

TEST(context_price_test, r77_contexts_cost_no_threads_whatever_they_are_made_from) {
  runtime rt{{.carriers = 2}};
  rt.run([] {
    const int before = threads();
    std::stop_source source;
    auto [root, cancel] = with_cancel(context(source.get_token()));
    std::vector<cancellable_context> all;
    for (int i = 0; i < 1000; ++i) {
      all.push_back(with_cancel(root));
      all.push_back(with_timeout(with_value(all.back().ctx, 1, 1), 1h));
      all.push_back(with_cancel(context(source.get_token())));
    }
    EXPECT_LE(threads(), before + 4) << "carriers may start at any time, but no more";
    const channel<int> ran;
    (void)after_func(all.back().ctx, [=] { ran.send(1); });
    source.request_stop();
    EXPECT_EQ(ran.receive(), 1);
    for (const auto& c : all) EXPECT_EQ(c.ctx.error(), errc::cancelled);
  });
}

}  // namespace
