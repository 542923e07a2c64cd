// SPDX-License-Identifier: MIT
// Durations of any unit as nanoseconds: exact, rounded up, and never past the ends.
#include "support.hpp"

#include <cstdint>
#include <limits>
#include <random>
#include <ratio>

#include "weir/detail/duration.hpp"

namespace {

using namespace weir;
using namespace std::chrono_literals;
using detail::to_nanoseconds;
using std::chrono::duration;
using std::chrono::duration_cast;
using std::chrono::nanoseconds;

template <std::intmax_t Num, std::intmax_t Den>
using ticks = duration<std::int64_t, std::ratio<Num, Den>>;
using hpet = ticks<1, 14318180>;
using pit = ticks<1, 1193182>;
using samples = ticks<1, 44100>;
using frames = ticks<1001, 30000>;
using thirds = ticks<1, 3>;

constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();

static_assert(to_nanoseconds(thirds(1)) == 333333334ns, "up");
static_assert(to_nanoseconds(thirds(-1)) == -333333333ns, "up");
static_assert(to_nanoseconds(thirds(std::int64_t{3} * 86400 * 365 * 150)) == 24h * 365 * 150);
static_assert(to_nanoseconds(duration<double>(0.1)) == 100ms, "no more than what was meant");
static_assert(to_nanoseconds(duration<std::int64_t, std::atto>(1)) == 1ns);
static_assert(to_nanoseconds(duration<std::uint64_t>(~std::uint64_t{0})).count() == most);
static_assert(to_nanoseconds(duration<int, std::ratio<3155760000>>(-3)).count() == least);
static_assert(to_nanoseconds(duration<float>(9223371776.F)).count() == most, "2^63 as a float");
static_assert(to_nanoseconds(nanoseconds::min()) == nanoseconds::min());

/// Whether `ns` is the least number of nanoseconds that is not below `count` ticks.
template <class Period>
bool is_rounded_up(std::int64_t count, std::int64_t ns) {
  using wide = detail::wide_int;
  const wide exact = wide{count} * Period::num * std::nano::den;  // by den
  if (exact > wide{most} * Period::den) return ns == most;
  if (exact < wide{least} * Period::den) return ns == least;
  return wide{ns} * Period::den >= exact && (wide{ns} - 1) * Period::den < exact;
}

template <class Period>
void expect_exact() {
  std::mt19937_64 random(7);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same in every run
  for (int i = 0; i < 20'000; ++i) {
    const auto count = static_cast<std::int64_t>(random()) >> (random() % 63);
    const std::int64_t ns = to_nanoseconds(duration<std::int64_t, Period>(count)).count();
    ASSERT_TRUE(is_rounded_up<Period>(count, ns)) << count << " ticks: " << ns << " ns";
  }
}

TEST(duration_test, every_unit_is_exact_and_stops_at_the_ends) {
  expect_exact<hpet::period>();
  expect_exact<pit::period>();
  expect_exact<samples::period>();
  expect_exact<frames::period>();
  expect_exact<thirds::period>();
  expect_exact<std::nano>();
  expect_exact<std::milli>();
  expect_exact<std::pico>();
  expect_exact<std::ratio<3600>>();
}

TEST(duration_test, long_waits_in_any_unit_are_waits) {
  const auto is_waited_for = [](auto d) {
    auto [ctx, cancel] = with_timeout(background(), d);
    EXPECT_FALSE(ctx.error());
    EXPECT_EQ(select(after(d), after(1ms)), 1U);
    EXPECT_TRUE(timer(d).stop());
  };
  is_waited_for(duration_cast<hpet>(5h));
  is_waited_for(duration_cast<pit>(60h));
  is_waited_for(duration_cast<samples>(24h * 300));
  is_waited_for(duration<float>(9223371776.F));
}

TEST(duration_test, what_is_no_number_is_refused) {
  const duration<double> nonsense(std::numeric_limits<double>::quiet_NaN());
  EXPECT_THROW((void)after(nonsense), std::invalid_argument);
  EXPECT_THROW((void)with_timeout(background(), nonsense), std::invalid_argument);
  EXPECT_THROW(timer{nonsense}, std::invalid_argument);
  EXPECT_THROW(ticker{nonsense}, std::invalid_argument);
  EXPECT_THROW(weir::sleep_for(nonsense), std::invalid_argument);
  EXPECT_THROW((void)weir::sleep_for(background(), nonsense), std::invalid_argument);
}

}  // namespace
