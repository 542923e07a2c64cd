// SPDX-License-Identifier: MIT
// token_bucket, sliding_window, rate_limit: what is granted, when, to whom, and what a waiter that
// leaves takes with it. Their rates are in limit_rate_test.cpp.
#include "support.hpp"

#include <cmath>
#include <deque>
#include <limits>
#include <mutex>
#include <random>
#include <type_traits>

namespace {

using namespace weir_test;
using namespace weir;
using duration = std::chrono::nanoseconds;

WEIR_RULES(limit_test);

std::int64_t now() { return detail::time_after(duration::zero()).time_since_epoch().count(); }

/// One of 0 to n - 1.
class dice {
 public:
  explicit dice(unsigned seed) : random_(seed) {}
  std::int64_t operator()(std::int64_t n) { return static_cast<std::int64_t>(random_()) % n; }

 private:
  std::mt19937 random_;
};

// ---- what is allowed, by an oracle --------------------------------------------------------------

TEST(limit_oracle_test, a_bucket_allows_what_has_fallen_due) {
  dice random(7);
  for (int round = 0; round < 20; ++round) {
    on_virtual_time([&] {
      const std::int64_t burst = 1 + random(20);
      const std::int64_t gap = 1 + random(1'000'000);  // ns from token to token, exactly
      const token_bucket b{1e9 / static_cast<double>(gap), burst};
      std::int64_t held = burst * gap;  // as time
      std::int64_t last = now();
      for (int i = 0; i < 500; ++i) {
        weir::sleep_for(duration(random(3 * gap)));
        held = std::min(burst * gap, held + now() - last);
        last = now();
        const auto n = random(burst + 1);
        const bool near = std::abs(held - n * gap) <= 2;  // the rate is rounded in its 16th digit
        const bool allowed = b.try_acquire(n);
        if (!near) {
          ASSERT_EQ(allowed, held >= n * gap) << n << " at " << last;
        }
        if (allowed) held -= n * gap;
      }
    });
  }
}

/// What a window has granted.
struct grants {
  std::int64_t in(std::int64_t after, std::int64_t to) const {
    std::int64_t sum = 0;
    for (const auto& [when, n] : all) sum += when > after && when <= to ? n : 0;
    return sum;
  }
  std::deque<std::pair<std::int64_t, std::int64_t>> all;
};

TEST(limit_oracle_test, a_window_of_up_to_1024_allows_exactly_what_fits) {
  dice random(11);
  for (const std::int64_t count : {1, 2, 7, 100, 1023, 1024}) {
    on_virtual_time([&] {
      const std::int64_t d = 1'000'000;
      const sliding_window w{count, duration(d)};
      grants seen;
      for (int i = 0; i < 3000; ++i) {
        weir::sleep_for(duration(random(4 * d / count + 2)));
        const auto n = random(std::min<std::int64_t>(count, 9) + 1);
        const bool allowed = w.try_acquire(n);
        ASSERT_EQ(allowed, n == 0 || seen.in(now() - d, now()) + n <= count)
            << n << " of " << count;
        if (allowed) seen.all.emplace_back(now(), n);
        while (!seen.all.empty() && seen.all.front().first < now() - 2 * d) seen.all.pop_front();
      }
    });
  }
}

TEST(limit_oracle_test, a_larger_window_never_holds_more_and_is_late_by_one_run_at_most) {
  dice random(13);
  for (const std::int64_t count : {1025, 5000, 1'000'003}) {
    on_virtual_time([&] {
      const std::int64_t d = 10'000'000;
      const sliding_window w{count, duration(d)};
      const std::int64_t run = count / 1024 + 1;
      grants seen;
      std::int64_t denied = 0;
      for (int i = 0; i < 3000; ++i) {
        weir::sleep_for(duration(random(d / 50)));
        const auto n = 1 + random(i % 100 == 0 ? count : count / 40);
        const std::int64_t held = seen.in(now() - d, now());
        const bool allowed = w.try_acquire(n);
        if (allowed) {
          ASSERT_LE(held + n, count);
          seen.all.emplace_back(now(), n);
        } else if (held + n + 2 * run + count / 40 <= count) {
          ++denied;  // room for it, and for as much as one run may have come with
        }
        while (!seen.all.empty() && seen.all.front().first < now() - 2 * d) seen.all.pop_front();
      }
      EXPECT_EQ(denied, 0) << count;
    });
  }
}

// ---- waiting ------------------------------------------------------------------------------------

TEST(limit_wait_test, waiters_are_served_in_order_at_their_time) {
  on_virtual_time([] {
    const token_bucket b{1000, 5};
    b.acquire(5);
    const auto start = now();
    std::vector<std::pair<int, std::int64_t>> served;
    const mutex m;
    wait_group wg;
    for (int i = 0; i < 6; ++i) {
      wg.go([&, i] {
        b.acquire(i % 2 == 0 ? 5 : 1);
        const std::lock_guard lock(m);  // limits order nothing
        served.emplace_back(i, (now() - start) / 1'000'000);
      });
      yield();
    }
    EXPECT_FALSE(b.try_acquire(1)) << "somebody waits";
    wg.wait();
    const std::vector<std::pair<int, std::int64_t>> expected{{0, 5},  {1, 6},  {2, 11},
                                                             {3, 12}, {4, 17}, {5, 18}};
    EXPECT_EQ(served, expected);
  });
}

TEST(limit_wait_test, who_leaves_takes_nothing_and_those_behind_move_up_at_once) {
  on_virtual_time([] {
    const token_bucket b{1, 100};
    b.acquire(50);
    const auto start = now();
    auto [ctx, cancel] = with_timeout(background(), 10s);
    wait_group wg;
    wg.go([&, ctx = ctx] { EXPECT_FALSE(b.acquire(ctx, 100)); });
    yield();
    std::int64_t small_at = 0;
    wg.go([&] {
      b.acquire(50);
      small_at = now() - start;
    });
    yield();
    std::int64_t next_at = 0;
    wg.go([&] {
      b.acquire(20);
      next_at = now() - start;
    });
    wg.wait();
    EXPECT_EQ(small_at, duration(10s).count()) << "its tokens were there all the time";
    EXPECT_EQ(next_at, duration(20s).count()) << "10 were left, of 60";
  });
}

TEST(limit_wait_test, a_window_serves_a_large_request_before_the_small_ones_behind_it) {
  on_virtual_time([] {
    const sliding_window w{10, 1s};
    w.acquire(4);
    weir::sleep_for(500ms);
    w.acquire(6);
    const auto start = now();
    std::vector<std::int64_t> at;
    const mutex m;
    wait_group wg;
    for (const int n : {10, 1}) {
      wg.go([&, n] {
        w.acquire(n);
        const std::lock_guard lock(m);
        at.push_back((now() - start) / 1'000'000);
      });
      yield();
    }
    wg.wait();
    EXPECT_EQ(at, (std::vector<std::int64_t>{1000, 2000}));
  });
}

WEIR_RULE(limit_test, a_context_that_is_done_wins) {
  crew_.run([] {
    const token_bucket b{0.001, 1};
    const sliding_window w{1, 1h};
    auto [over, end] = with_cancel(background());
    end();
    EXPECT_FALSE(b.acquire(over));
    EXPECT_FALSE(w.acquire(over));
    EXPECT_FALSE(rate_limit{}.acquire(over));
    EXPECT_TRUE(b.try_acquire()) << "nothing was taken";
    EXPECT_TRUE(w.try_acquire());
    auto [ctx, cancel] = soon();
    EXPECT_FALSE(b.acquire(ctx));
    auto [ctx2, cancel2] = soon();
    EXPECT_FALSE(w.acquire(ctx2));
  });
}

/// Parties with patience and parties without, at one in 10 µs; what was granted is what the limit
/// allows: what it held at first, and what fell due since. (A bucket that makes up for a late
/// wake-up gives what fell due before, not more.)
template <class Limit>
void conserves(crew& c, const Limit& limit, std::int64_t at_once) {
  const auto start = now();
  std::atomic<std::int64_t> granted{0};
  for (int i = 0; i < 6; ++i) {
    c.spawn([&, limit, i] {
      dice random(static_cast<unsigned>(i));
      for (int k = 0; k < turns(100); ++k) {
        const auto n = 1 + random(at_once);
        if (i % 2 == 0) {
          limit.acquire(n);
          granted += n;
          continue;
        }
        auto [ctx, cancel] = with_timeout(background(), std::chrono::microseconds(random(200)));
        if (limit.acquire(ctx, n)) granted += n;
      }
    });
  }
  c.join();
  const std::int64_t fell_due = (now() - start) / 10'000;
  EXPECT_LE(granted, at_once + fell_due);
  // Nobody is left in the queue, and nothing is owed: a full load fits after a full rest.
  limit.acquire(at_once);
}

WEIR_RULE(limit_test, a_bucket_loses_and_leaks_nothing_to_those_who_leave) {
  conserves(crew_, token_bucket{100'000, 10}, 10);
}

WEIR_RULE(limit_test, a_window_loses_and_leaks_nothing_to_those_who_leave) {
  conserves(crew_, sliding_window{10, 100us}, 10);
}

TEST(limit_wait_test, those_who_leave_cost_the_others_not_one_token) {
  on_virtual_time([] {
    const token_bucket b{1000, 10};
    const auto start = now();
    auto [all, end] = with_timeout(background(), 10s);
    std::atomic<std::int64_t> granted{0};
    wait_group wg;
    for (int i = 0; i < 8; ++i) {
      wg.go([&, i, all = all] {
        dice random(static_cast<unsigned>(i));
        while (!all.cancelled()) {
          const auto n = 1 + random(10);
          auto [ctx, cancel] = with_timeout(all, std::chrono::milliseconds(random(60)));
          if (b.acquire(ctx, n)) granted += n;
        }
      });
    }
    wg.wait();
    EXPECT_EQ(now() - start, duration(10s).count());
    EXPECT_NEAR(static_cast<double>(granted), 10'010, 10) << "but for who waits at the end";
  });
}

// ---- clocks and runtimes ------------------------------------------------------------------------

TEST(limit_wait_test, others_still_wait_when_the_runtime_that_kept_the_timer_ends) {
  const token_bucket b{20, 1};
  std::thread waiter;
  {
    runtime rt{{.carriers = 1}};
    rt.run([&] {
      b.acquire();
      auto [ctx, cancel] = with_timeout(background(), 1ms);
      EXPECT_FALSE(b.acquire(ctx)) << "and the timer is this runtime's";
    });
    waiter = std::thread([&] { b.acquire(); });
  }
  waiter.join();
  b.acquire();
}

TEST(limit_wait_test, a_limit_may_go_from_one_clock_to_another) {
  const token_bucket b{1000, 2};
  b.acquire(2);
  for (int i = 0; i < 2; ++i) {
    on_virtual_time([&] {
      b.acquire(2);
      const auto start = now();
      b.acquire(2);
      EXPECT_EQ(now() - start, 2'000'000);
    });
  }
}

TEST(limit_wait_test, a_timer_that_was_left_on_one_clock_is_none_on_another) {
  const token_bucket b{0.001, 1};
  b.acquire();
  EXPECT_FALSE(b.acquire(soon().ctx)) << "the timer stays";
  explore({.seeds = 1, .quiet = true}, [&] { b.acquire(); });  // else: nothing can wake it
}

TEST(limit_wait_test, handles_may_go_while_others_wait) {
  on_virtual_time([] {
    std::optional<token_bucket> b{std::in_place, 1000, 1};
    b->acquire();
    wait_group wg;
    wg.go([&] { b->acquire(); });
    yield();
    b.reset();
    wg.wait();
  });
}

/// Leaves a limit before its timer fires, and lets the limit go about when it does: another thread,
/// with which nothing orders this one, may then be in it. For ThreadSanitizer to see.
template <class Make>
void goes_while_its_timer_fires(Make make) {
  for (int i = 0; i < 200; ++i) {
    const auto limit = make();
    limit.acquire();
    if (auto hasty = with_timeout(background(), 1us); limit.acquire(hasty.ctx)) continue;
    const auto later = now() + i * 1'000;
    while (now() < later) {  // a look at the clock orders nothing
    }
  }
}

TEST(limit_wait_test, a_limit_may_go_while_its_timer_fires) {
  goes_while_its_timer_fires([] { return token_bucket{10'000, 1}; });
  goes_while_its_timer_fires([] { return sliding_window{1, 100us}; });
}

// ---- arguments ----------------------------------------------------------------------------------

TEST(limit_argument_test, a_bad_argument_is_named_with_its_remedy) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double rate : {0.0, -1.0, std::nan(""), infinity, 1e10, 1e-10, -0.0}) {
    EXPECT_THROW((token_bucket{rate, 1}), std::invalid_argument) << rate;
  }
  for (const std::int64_t n : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 50}) {
    EXPECT_THROW((token_bucket{1, n}), std::invalid_argument) << n;
    EXPECT_THROW((sliding_window{n, 1s}), std::invalid_argument) << n;
  }
  EXPECT_THROW((token_bucket{1, std::numeric_limits<std::uint64_t>::max()}), std::invalid_argument);
  EXPECT_THROW((sliding_window{1, 0s}), std::invalid_argument);
  EXPECT_THROW((sliding_window{1, -1s}), std::invalid_argument);
  EXPECT_THROW((sliding_window{1, std::chrono::hours::max()}), std::invalid_argument);
  const token_bucket b{10, 5};
  EXPECT_EQ(refusal([&] { b.acquire(6); }),
            "weir::token_bucket: acquire of 6: more than the burst of 5 never comes: acquire in "
            "parts, or raise the burst");
  EXPECT_THROW((void)b.acquire(background(), 6), std::invalid_argument);
  EXPECT_THROW((void)b.try_acquire(-1), std::invalid_argument);
  const sliding_window w{5, 1s};
  EXPECT_THROW((void)w.try_acquire(6), std::invalid_argument);
  EXPECT_THROW(w.acquire(std::numeric_limits<std::int64_t>::min()), std::invalid_argument);
  EXPECT_TRUE(b.try_acquire(5)) << "and nothing was taken";
  EXPECT_TRUE(w.try_acquire(5));
  b.acquire(0);
  w.acquire(0);
}

TEST(limit_argument_test, the_largest_and_the_smallest_work) {
  on_virtual_time([] {
    const token_bucket fast{1e9, 1'000'000'000'000};
    fast.acquire(1'000'000'000'000);
    fast.acquire(1'000'000'000'000);
    const token_bucket slow{1e-9, 1'000'000'000'000};
    slow.acquire(1'000'000'000'000);
    auto [ctx, cancel] = with_timeout(background(), 1h);
    EXPECT_FALSE(slow.acquire(ctx, 1'000'000'000'000));
    const sliding_window huge{1'000'000'000'000, 1s};
    const auto start = now();
    for (int i = 0; i < 3; ++i) huge.acquire(999'999'999'999);
    EXPECT_EQ(now() - start, duration(2s).count());
  });
}

// ---- rate_limit ---------------------------------------------------------------------------------

/// Somebody else's: every second one may.
struct alternating {
  bool acquire(const context& /*ctx*/) const { return ++*calls % 2 == 0; }
  std::shared_ptr<int> calls = std::make_shared<int>(0);
};

TEST(rate_limit_test, holds_any_limit_or_none) {
  static_assert(std::is_convertible_v<token_bucket, rate_limit>);
  static_assert(std::is_convertible_v<sliding_window, rate_limit>);
  static_assert(!std::is_convertible_v<int, rate_limit>);
  static_assert(std::is_nothrow_move_constructible_v<rate_limit>);
  const rate_limit none;
  EXPECT_FALSE(none);
  EXPECT_TRUE(none.acquire(background()));
  EXPECT_TRUE(none.try_acquire());
  const token_bucket b{0.001, 2};
  const rate_limit one = b;
  const rate_limit two = one;  // NOLINT: a copy is what is tested
  EXPECT_TRUE(one);
  EXPECT_TRUE(one.acquire(background()));
  EXPECT_TRUE(two.try_acquire());
  EXPECT_FALSE(b.try_acquire()) << "copies name the same limit";
  const rate_limit own = alternating{};
  EXPECT_FALSE(own.acquire(background()));
  EXPECT_TRUE(own.acquire(background()));
  EXPECT_FALSE(own.try_acquire()) << "it has none";
}

}  // namespace
