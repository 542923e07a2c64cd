// SPDX-License-Identifier: MIT
// Durations in fixed memory: how far quantiles are off, and what happens at the ends.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <random>
#include <vector>
#include <weir/histogram.hpp>

namespace {

using std::chrono::nanoseconds;

void expect_close(const std::vector<std::int64_t>& sorted, const weir::histogram& h) {
  for (const double q : {0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const double n = static_cast<double>(sorted.size());
    const auto rank = static_cast<std::size_t>(std::max(std::ceil(q * n), 1.0)) - 1;
    const std::int64_t exact = sorted[rank];
    const std::int64_t got = h.quantile(q).count();
    EXPECT_GE(got, exact) << q;
    EXPECT_LE(static_cast<double>(got), static_cast<double>(exact) * 1.032 + 1) << q;
  }
}

TEST(histogram_test, quantiles_are_at_most_three_percent_too_large) {
  std::mt19937_64 random(7);
  const std::vector<std::function<double()>> shapes{
      [&] { return std::exponential_distribution<>(1e-5)(random); },
      [&] { return std::lognormal_distribution<>(12, 3)(random); },
      [&] { return std::uniform_real_distribution<>(0, 100)(random); },
      [&] { return random() % 100 == 0 ? 1e9 : 1e3; }};
  for (const auto& shape : shapes) {
    weir::histogram h;
    std::vector<std::int64_t> all;
    for (int i = 0; i < 10'000; ++i) {
      all.push_back(static_cast<std::int64_t>(std::min(shape(), 1e17)));
      h.record(nanoseconds(all.back()));
    }
    std::sort(all.begin(), all.end());
    expect_close(all, h);
    EXPECT_EQ(h.count(), 10'000);
    EXPECT_EQ(h.max().count(), all.back());
  }
}

TEST(histogram_test, the_ends_are_kept) {
  weir::histogram h;
  EXPECT_EQ(h.quantile(0.5).count(), 0);
  EXPECT_EQ(h.mean().count(), 0);
  h.record(nanoseconds(-5));
  EXPECT_EQ(h.max().count(), 0);
  h.record(nanoseconds::max());
  EXPECT_EQ(h.quantile(1), nanoseconds::max());
  EXPECT_EQ(h.quantile(std::numeric_limits<double>::quiet_NaN()), h.quantile(0));
  EXPECT_EQ(h.quantile(0).count(), 0);
  EXPECT_EQ(h.count(), 2);
}

TEST(histogram_test, small_ones_are_exact) {
  for (int i = 0; i < 32; ++i) {
    weir::histogram h;
    h.record(nanoseconds(i));
    EXPECT_EQ(h.quantile(0.5).count(), i);
  }
}

TEST(histogram_test, two_add_up) {
  weir::histogram a;
  weir::histogram b;
  a.record(nanoseconds(10));
  b.record(nanoseconds(30));
  a += b;
  EXPECT_EQ(a.count(), 2);
  EXPECT_EQ(a.mean().count(), 20);
  EXPECT_EQ(a.quantile(0.5).count(), 10);
  EXPECT_EQ(a.max().count(), 30);
}

}  // namespace
