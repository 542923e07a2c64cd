// SPDX-License-Identifier: MIT
// process_options::batch: small jobs share the way to a worker, and are else what they were.
#include "support.hpp"

#include <ranges>

#include "numbers.hpp"

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(process_batch);

const auto same = [](int i) { return i; };

WEIR_RULE(process_batch, every_job_gives_one_result_whatever_the_size) {
  crew_.run([] {
    for (const std::int64_t batch : {2, 7, 100}) {
      std::vector<int> got;
      for (const int v :
           process(background(), numbers(20), {.workers = 3, .queue = 2, .batch = batch}, same)) {
        got.push_back(v);
      }
      std::sort(got.begin(), got.end());
      EXPECT_EQ(got, numbers(20));

      std::atomic<int> sum{0};
      for_each(background(), numbers(20), {.workers = 2, .queue = 1, .batch = batch},
               [&](int i) { sum += i; });
      EXPECT_EQ(sum, 190);
    }
  });
}

WEIR_RULE(process_batch, in_order_is_in_order_in_any_window) {
  crew_.run([] {
    for (const std::int64_t window : {0, 1, 3, 50}) {
      const auto f = [](int i) {
        if (i % 3 == 0) yield();
        return i;
      };
      const std::vector<int> got = map(background(), numbers(20),
                                       {.workers = 3, .queue = 2, .window = window, .batch = 4}, f);
      EXPECT_EQ(got, numbers(20)) << "window " << window;
    }
  });
}

WEIR_RULE(process_batch, runs_its_jobs_one_after_the_other) {
  crew_.run([] {
    std::vector<int> order;
    for_each(background(), numbers(9), {.workers = 1, .batch = 4}, [&](int i) {
      order.push_back(i);
      yield();
    });
    EXPECT_EQ(order, numbers(9));
  });
}

WEIR_RULE(process_batch, of_a_channel_is_what_is_there) {
  // The sender waits for each result: to wait for a full batch would be for ever.
  const channel<int> jobs;
  const channel<int> results;
  crew_.spawn([=] {
    for (int i = 0; i < 5; ++i) {
      jobs.send(i);
      EXPECT_EQ(results.receive(), i);
    }
    jobs.close();
  });
  crew_.spawn([=] {
    for (const int v : process(background(), jobs, {.workers = 2, .batch = 16}, same)) {
      results.send(v);
    }
  });
  crew_.join();
}

WEIR_RULE(process_batch, the_first_failure_cancels_what_is_behind_it_too) {
  crew_.run([] {
    std::vector<int> ran;
    const auto f = [&](int i) {
      ran.push_back(i);
      if (i == 2) throw std::runtime_error("second");
    };
    EXPECT_THROW(for_each(background(), numbers(100), {.workers = 1, .batch = 8}, f),
                 std::runtime_error);
    EXPECT_EQ(ran, (std::vector<int>{0, 1, 2}));
  });
}

WEIR_RULE(process_batch, collected_failures_are_each_their_own) {
  crew_.run([] {
    const auto f = [](int i) {
      if (i % 3 == 0) throw std::runtime_error(std::to_string(i));
      return i;
    };
    auto s = process_ordered(background(), numbers(20),
                             {.workers = 2, .batch = 5, .on_error = on_error::collect}, f);
    std::uint64_t at = 0;
    for (auto& o : s.outcomes()) {
      EXPECT_EQ(o.index(), at++);
      EXPECT_EQ(o.has_value(), o.index() % 3 != 0);
    }
    EXPECT_EQ(at, 20U);
    std::atomic<int> good{0};
    EXPECT_THROW(for_each(background(), numbers(20),
                          {.workers = 2, .batch = 5, .on_error = on_error::collect},
                          [&](int i) { good += f(i) >= 0 ? 1 : 0; }),
                 std::runtime_error);
    EXPECT_EQ(good, 13) << "all, and then the first failure";
  });
}

WEIR_RULE(process_batch, what_came_before_a_source_that_throws_is_run) {
  crew_.run([] {
    auto bad = std::views::iota(0) | std::views::transform([](int i) {
                 if (i == 6) throw std::out_of_range("source");
                 return i;
               });
    channel<int> seen{16};
    EXPECT_THROW(for_each(background(), bad, {.workers = 1, .queue = 0, .batch = 4},
                          [&](int i) { seen.send(i); }),
                 std::out_of_range);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(seen.try_receive().value(), i);
  });
}

WEIR_RULE(process_batch, ends_with_its_context) {
  crew_.run([] {
    const auto [ctx, cancel] = with_cancel(background());
    std::atomic<int> ran{0};
    const auto f = [&, cancel = cancel](int i) {
      ++ran;
      if (i == 5) cancel();
    };
    EXPECT_THROW(for_each(ctx, std::views::iota(0), {.workers = 1, .batch = 64}, f),
                 std::system_error);
    EXPECT_EQ(ran, 6);
  });
}

WEIR_RULE(process_batch, move_only_jobs_pass) {
  crew_.run([] {
    std::vector<std::unique_ptr<int>> jobs;
    for (int i = 0; i < 9; ++i) jobs.push_back(std::make_unique<int>(i));
    const std::vector<int> got = map(background(), std::move(jobs), {.workers = 2, .batch = 4},
                                     [](std::unique_ptr<int> p) { return *p; });
    EXPECT_EQ(got, numbers(9));
  });
}

TEST(process_batch_size, fits_any_element) {
  const std::vector<bool> bits{true, false, true};
  EXPECT_EQ(
      map(background(), bits, {.workers = 1, .batch = 2}, [](bool b) { return !b; }).to_vector(),
      (std::vector<bool>{false, true, false}));
}

TEST(process_batch_size, of_the_largest_needs_no_more_memory_than_there_is) {
  EXPECT_EQ(
      map(background(), numbers(3), {.workers = 1, .queue = 64, .batch = 65'536}, same).to_vector(),
      numbers(3));
}

TEST(process_batch_size, that_can_not_be_is_named) {
  const auto with = [](process_options o) {
    for_each(background(), numbers(1), std::move(o), same);
  };
  const auto message = [&](process_options o) { return refusal([&] { with(std::move(o)); }); };
  for (const std::int64_t batch : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{65'537},
                                   std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_NE(message({.batch = batch}).find("batch " + std::to_string(batch)), std::string::npos);
  }
  EXPECT_NE(message({.batch = 2, .timeout = 1s}), "");
  EXPECT_NE(message({.batch = 2, .retry = {.attempts = 2}}), "");
  EXPECT_NE(message({.batch = 2, .rate = token_bucket(10, 1)}), "");
  with({.batch = 65'536});
}

}  // namespace
