// SPDX-License-Identifier: MIT
// The article's program, its deadline before and after the work's end.
#include "support.hpp"

namespace {

using namespace weir_test;
using clock = std::chrono::steady_clock;

struct ending {
  int results = 0;
  std::error_code error;
  clock::duration spent{};
};

/// examples/seed.cpp, to the letter but for the timeout and the printing.
ending article(std::chrono::milliseconds timeout) {
  const auto start = clock::now();
  auto [ctx, cancel] = weir::with_timeout(weir::background(), timeout);
  weir::channel<int> jobs, results;
  weir::wait_group crew;  // so that a test leaves nobody behind
  crew.go([=, ctx = ctx] {
    for (int i = 1; i <= 10; ++i)
      if (!jobs.send(ctx, i)) break;
    jobs.close();
  });
  weir::wait_group workers;
  for (int id = 1; id <= 3; ++id)
    workers.go([=, ctx = ctx] {
      while (auto job = jobs.receive(ctx)) {
        weir::sleep_for(80ms);
        if (!results.send(ctx, *job * *job)) return;
      }
    });
  crew.go([=] {
    workers.wait();
    results.close();
  });
  ending e;
  for ([[maybe_unused]] int value : results) ++e.results;
  e.error = ctx.error();
  e.spent = clock::now() - start;
  crew.wait();
  return e;
}

TEST(seed_program, gives_ten_results_in_four_rounds_of_80_ms) {
  EXPECT_TRUE(weir_test::in_time([] {
    const ending e = article(20s);
    EXPECT_EQ(e.results, 10);
    EXPECT_EQ(e.error.message(), "ok");
    EXPECT_GE(e.spent, 320ms);
    return e.spent < (sanitized ? 5s : 1s);
  })) << "some 320 ms on an idle machine";
}

TEST(seed_program, with_a_short_deadline_gives_fewer_and_says_so) {
  const ending e = article(200ms);
  EXPECT_LT(e.results, 10);
  EXPECT_EQ(e.error, weir::errc::deadline_exceeded);
}

TEST(seed_program, on_virtual_time_takes_exactly_320_ms_and_no_time_at_all) {
  weir::runtime rt{{.clock = weir::clock_kind::virtual_time}};
  rt.run([] {
    const auto start = weir::detail::time_after(0ns);
    EXPECT_EQ(article(900ms).results, 10);
    EXPECT_EQ(weir::detail::time_after(0ns) - start, 320ms);
    EXPECT_EQ(article(200ms).results, 6);
  });
}

}  // namespace
