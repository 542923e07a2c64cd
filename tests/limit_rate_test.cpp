// SPDX-License-Identifier: MIT
// The rates of token_bucket and sliding_window: on the virtual clock, where they are exact, and on
// the machine's, where they must hold although it is late. WEIR_LONG=1 in the environment measures
// over ten seconds of real time instead of one.
#include "support.hpp"

#include <cmath>
#include <cstdlib>

namespace {

using namespace weir_test;
using namespace weir;
using duration = std::chrono::nanoseconds;

std::int64_t now() { return detail::time_after(duration::zero()).time_since_epoch().count(); }

/// How many `tasks` tasks that ask for one at a time get in `t`.
template <class Limit>
std::int64_t granted_in(const Limit& limit, duration t, int tasks) {
  auto [ctx, cancel] = with_deadline(background(), detail::time_after(t));
  std::atomic<std::int64_t> granted{0};
  wait_group wg;
  for (int i = 0; i < tasks; ++i) {
    wg.go([&, ctx = ctx] {
      std::int64_t mine = 0;
      while (limit.acquire(ctx)) ++mine;
      granted += mine;
    });
  }
  wg.wait();
  return granted;
}

TEST(limit_rate_test, a_bucket_is_exact_for_ten_seconds_of_virtual_time) {
  const int tasks = 4;
  for (const int burst : {1, 1000}) {
    on_virtual_time([&] {
      const auto n = granted_in(token_bucket{1000, burst}, 10s, tasks);
      EXPECT_NEAR(static_cast<double>(n), 10'000 + burst, 2) << "burst " << burst;
    });
    if (sanitized) continue;
    on_virtual_time([&] {
      const auto n = granted_in(token_bucket{1'000'000, burst}, 10s, tasks);
      EXPECT_NEAR(static_cast<double>(n), 10'000'000 + burst, 100) << "burst " << burst;
    });
  }
}

TEST(limit_rate_test, a_window_is_exact_for_ten_seconds_of_virtual_time) {
  // All of a quota is used at once; the last second's at its end may just be in, too.
  on_virtual_time([] {
    const auto n = granted_in(sliding_window{1000, 1s}, 9'500ms, 4);
    EXPECT_EQ(n, 10'000);
  });
  if (sanitized) return;
  on_virtual_time([] {
    const auto n = granted_in(sliding_window{1'000'000, 1s}, 9'500ms, 4);
    EXPECT_EQ(n, 10'000'000);
  });
}

TEST(limit_rate_test, odd_rates_do_not_drift) {
  // A third of a token has no end in nanoseconds: 333,333,333 of them a token would be one token
  // early after 30 years, in a day 86 µs.
  on_virtual_time([] {
    const token_bucket b{3, 1};
    b.acquire();
    const auto start = now();
    for (int i = 0; i < 259'200; ++i) b.acquire();
    const auto day = duration(std::chrono::hours(24)).count();
    EXPECT_NEAR(static_cast<double>(now() - start - day), 0, 1000);
  });
  on_virtual_time([] {
    const token_bucket b{0.001, 1};
    b.acquire();
    const auto start = now();
    b.acquire();
    EXPECT_EQ(now() - start, duration(1000s).count());
  });
}

/// Of real time.
std::int64_t seconds_measured() { return std::getenv("WEIR_LONG") != nullptr ? 10 : 1; }

/// The rate in real time, 1 % at most from `rate`. A machine that stands still for longer than a
/// limit makes up for is given another try.
template <class Make>
void keeps_the_rate(Make make, double rate, int tasks) {
  double off = 1;
  for (int attempt = 0; attempt < 8 && off > 0.01; ++attempt) {
    runtime rt{{.carriers = 2}};
    rt.run([&] {
      const auto limit = make();
      while (limit.try_acquire()) {  // the burst
      }
      limit.acquire();
      const auto start = now();
      const auto n =
          static_cast<double>(granted_in(limit, std::chrono::seconds(seconds_measured()), tasks));
      off = std::abs(n / (static_cast<double>(now() - start) * 1e-9) / rate - 1);
    });
  }
  EXPECT_LE(off, 0.01) << "of " << rate << " a second, " << tasks << " tasks";
}

TEST(limit_rate_test, a_bucket_keeps_its_rate_in_real_time) {
  if (sanitized) GTEST_SKIP() << "too slow for it";
  for (const int tasks : {1, 8}) {
    keeps_the_rate([] { return token_bucket{1000, 10}; }, 1000, tasks);
    keeps_the_rate([] { return token_bucket{1'000'000, 1000}; }, 1e6, tasks);
    keeps_the_rate([] { return token_bucket{1'000'000, 1}; }, 1e6, tasks);
  }
}

TEST(limit_rate_test, a_window_keeps_its_rate_in_real_time) {
  if (sanitized) GTEST_SKIP() << "too slow for it";
  for (const std::int64_t rate : {1'000, 100'000, 1'000'000}) {
    const std::int64_t seconds = seconds_measured();
    double off = 1;
    for (int attempt = 0; attempt < 8 && off > 0.01; ++attempt) {
      runtime rt{{.carriers = 2}};
      rt.run([&] {
        const sliding_window w{rate / 10, 100ms};
        const auto start = now();
        for (std::int64_t i = 0; i < rate * seconds; ++i) w.acquire();
        w.acquire();  // of the window that begins so many seconds after the first
        off =
            std::abs(static_cast<double>(now() - start) * 1e-9 / static_cast<double>(seconds) - 1);
      });
    }
    EXPECT_LE(off, 0.01) << rate << " a second";
  }
}

}  // namespace
