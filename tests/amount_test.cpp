// SPDX-License-Identifier: MIT
// amount: an option takes an integer of any type, and none that would become another one.
#include "support.hpp"

#include <cstdint>
#include <limits>

namespace {

using namespace weir_test;

constexpr std::size_t huge = std::numeric_limits<std::size_t>::max() / 2 + 1;  // 2^63

TEST(amount_test, is_made_of_any_integer_and_reads_as_an_int64) {
  EXPECT_EQ(weir::amount{}, 0);
  EXPECT_EQ(weir::amount(std::uint8_t{200}), 200);
  EXPECT_EQ(weir::amount(-5), -5);
  EXPECT_EQ(weir::amount(std::size_t{7}) * 2, 14);
  EXPECT_EQ(weir::amount('a'), 97);
  enum { six = 6 };
  EXPECT_EQ(weir::amount(six), 6);
}

TEST(amount_test, stops_at_the_ends_of_an_int64) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  constexpr auto least = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(weir::amount(huge), most);
  weir::amount n = 5;
  EXPECT_EQ(n += 3, 8);
  EXPECT_EQ(n -= 10, -2);
  EXPECT_EQ(n *= -4, 8);
  EXPECT_EQ(weir::amount(most) += 1, most);
  EXPECT_EQ(weir::amount(least) += -1, least);
  EXPECT_EQ(weir::amount(least) -= 1, least);
  EXPECT_EQ(weir::amount(most) -= -1, most);
  EXPECT_EQ(weir::amount(most) *= 2, most);
  EXPECT_EQ(weir::amount(most) *= -2, least);
}

TEST(amount_test, is_made_of_nothing_else) {
  EXPECT_FALSE((std::is_convertible_v<bool, weir::amount>));
  EXPECT_FALSE((std::is_convertible_v<double, weir::amount>));
  EXPECT_FALSE((std::is_convertible_v<void*, weir::amount>));
  enum class scoped { one };
  EXPECT_FALSE((std::is_convertible_v<scoped, weir::amount>));
  EXPECT_FALSE((std::is_convertible_v<bool, weir::worker_count>));
}

TEST(amount_test, a_size_is_what_options_take) {
  const std::vector<int> files(3);
  EXPECT_EQ((weir::pool_options{.queue = files.size()}.queue), 3);
  const weir::runtime rt{{.carriers = files.size()}};
  EXPECT_EQ(rt.carriers(), 3);
  const weir::pool p{{.workers = weir::adaptive{.max = files.size()}, .queue = files.size()}};
  EXPECT_EQ(p.submit({.cost = {.memory = files.size(), .units = 1U}}, [] { return 4; }).get(), 4);
  std::vector<int> results;
  for (const int i :
       weir::process(weir::background(), files, {.queue = files.size(), .batch = files.size()},
                     [](int file) { return file + 1; })) {
    results.push_back(i);
  }
  EXPECT_EQ(results, (std::vector{1, 1, 1}));
  const weir::semaphore s(files.size());
  s.acquire(files.size());
  EXPECT_EQ(s.available(), 0);
}

TEST(amount_test, of_one_option_is_what_another_takes) {
  const weir::pool_options o{.queue = 3};
  EXPECT_EQ(weir::worker_count(o.queue).max(), 3);
  EXPECT_EQ(weir::channel<int>(o.queue).capacity(), 3U);
  EXPECT_TRUE(weir::token_bucket(o.queue, o.queue).try_acquire(o.queue));
}

TEST(amount_test, what_no_int64_has_is_refused_by_name) {
  const auto is_named = [](const std::string& refusal, const std::string& option) {
    return refusal.find(option + "9223372036854775807") != std::string::npos;
  };
  EXPECT_TRUE(is_named(refusal([] { weir::pool p({.queue = huge}); }), "queue "));
  EXPECT_TRUE(is_named(refusal([] { weir::runtime rt({.carriers = huge}); }), "carriers is "));
  EXPECT_TRUE(is_named(refusal([] { weir::pool p({.workers = weir::adaptive{.max = huge}}); }),
                       "workers adaptive{1, "));
}

}  // namespace
