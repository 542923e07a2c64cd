// SPDX-License-Identifier: MIT
// How a stream tells of failures, of a context that ends, and of what it can not do.
#include "support.hpp"

#include <limits>
#include <ranges>

#include "numbers.hpp"

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(process_ends);

const auto same = [](int i) { return i; };
const auto third_fails = [](int i) {
  if (i == 3) throw std::runtime_error("job 3");
  return i;
};
const auto sixth_throws = [](int i) {
  if (i == 6) throw std::out_of_range("source");
  return i;
};

/// "0 1 !2" are two values and the failure of job 2.
template <class Stream>
std::string told(Stream s) {
  std::string all;
  for (auto& o : s.outcomes()) {
    EXPECT_TRUE(!o || o.index() == static_cast<std::uint64_t>(o.value()));
    all += std::string(all.empty() ? "" : " ") + (o ? "" : "!") + std::to_string(o.index());
  }
  return all;
}

// ---- failures -----------------------------------------------------------------------------------

WEIR_RULE(process_ends, the_failure_that_cancels_has_its_index) {
  crew_.run([] {
    const std::string all =
        told(process_ordered(background(), numbers(9), {.workers = 1}, third_fails));
    EXPECT_TRUE(all.ends_with("!3")) << all;
  });
}

WEIR_RULE(process_ends, a_collected_failure_is_told_once_also_when_the_context_ends) {
  crew_.run([] {
    const auto [ctx, cancel] = with_cancel(background());
    auto s = process_ordered(ctx, numbers(6), {.workers = 1, .on_error = on_error::collect},
                             third_fails);
    int failures = 0;
    for (auto& o : s.outcomes()) {
      failures += o.has_value() ? 0 : 1;
      if (o.index() == 5) cancel();
    }
    EXPECT_EQ(failures, 1);
  });
}

WEIR_RULE(process_ends, a_source_that_throws_cancels_nothing_that_is_collected) {
  crew_.run([] {
    auto source = std::views::iota(0) | std::views::transform(sixth_throws);
    for (const std::int64_t batch : {1, 4}) {
      const process_options o{.workers = 2, .batch = batch, .on_error = on_error::collect};
      EXPECT_EQ(told(process_ordered(background(), source, o, same)), "0 1 2 3 4 5 !6");
      EXPECT_EQ(told(process_ordered(background(), source, o, third_fails)), "0 1 2 !3 4 5 !6");
      std::vector<int> got;
      auto s = process_ordered(background(), source, o, same);
      EXPECT_THROW(
          {
            for (const int v : s) got.push_back(v);
          },
          std::out_of_range);
      EXPECT_EQ(got, numbers(6)) << "all there are, and then the failure";
    }
  });
}

// ---- a context that ends ------------------------------------------------------------------------

WEIR_RULE(process_ends, a_vector_is_all_or_an_error) {
  crew_.run([] {
    const auto third_stops = [](const cancel_func& cancel) {
      return [cancel](int i) {
        if (i == 2) cancel();
        return i;
      };
    };
    const auto a = with_cancel(background());
    EXPECT_EQ(error_of([&] {
                const std::vector<int> v =
                    map(a.ctx, std::views::iota(0), {.workers = 1}, third_stops(a.cancel));
              }),
              errc::cancelled);
    EXPECT_EQ(map(a.ctx, std::vector<int>{}, same).to_vector(), std::vector<int>{})
        << "there is nothing to do";
    const auto b = with_cancel(background());
    auto s = process(b.ctx, numbers(9), {.workers = 1}, third_stops(b.cancel));
    EXPECT_EQ(error_of([&] { (void)s.to_vector(); }), errc::cancelled)
        << "all were taken, perhaps, but not all were run";
  });
}

WEIR_RULE(process_ends, of_a_context_after_the_last_job_is_none_of_the_stream) {
  crew_.run([] {
    for (const std::int64_t queue : {0, 4}) {
      const process_options o{.workers = 1, .queue = queue};
      const auto last_stops = [](cancel_func cancel) {
        return [cancel = std::move(cancel)](int i) {
          if (i == 2) cancel();
          return i;
        };
      };
      const auto a = with_cancel(background());
      for_each(a.ctx, numbers(3), o, last_stops(a.cancel));
      const auto b = with_cancel(background());
      EXPECT_EQ(map(b.ctx, numbers(3), o, last_stops(b.cancel)).to_vector(), numbers(3));
      const auto c = with_cancel(background());
      channel<int> jobs{3};
      for (const int i : numbers(3)) jobs.send(i);
      jobs.close();
      for_each(c.ctx, jobs, o, last_stops(c.cancel));
    }
    const auto d = with_cancel(background());
    const auto stop = [&](int i) {
      if (i == 2) d.cancel();
      return i;
    };
    EXPECT_EQ(process(d.ctx, numbers(3), {.workers = 1}, stop).to_vector(), numbers(3));
  });
}

WEIR_RULE(process_ends, of_a_context_ends_a_loop_quietly) {
  crew_.run([] {
    const auto [ctx, cancel] = with_cancel(background());
    int seen = 0;
    for (const int v : process_ordered(ctx, std::views::iota(0), {.workers = 1}, same)) {
      EXPECT_EQ(v, seen);
      if (++seen == 2) cancel();
    }
    EXPECT_GE(seen, 2);
  });
}

// ---- another attempt ----------------------------------------------------------------------------

const process_options thrice{.workers = 1, .retry = {.attempts = 3, .first = 1ms}};

std::vector<std::unique_ptr<int>> one_seven() {
  std::vector<std::unique_ptr<int>> jobs;
  jobs.push_back(std::make_unique<int>(7));
  return jobs;
}

WEIR_RULE(process_ends, each_attempt_gets_the_job_that_can_not_be_copied) {
  crew_.run([] {
    int calls = 0;
    const auto flaky = [&](const std::unique_ptr<int>& p) {
      if (++calls < 3) throw std::runtime_error("503");
      return *p;
    };
    EXPECT_EQ(map(background(), one_seven(), thrice, flaky).to_vector(), std::vector<int>{7});
    EXPECT_EQ(calls, 3);
  });
}

WEIR_RULE(process_ends, each_attempt_gets_the_same_job_whatever_the_one_before_did_to_it) {
  crew_.run([] {
    int calls = 0;
    const auto uses_up = [&](auto&& s) {
      std::string mine = std::move(s);  // NOLINT: that it does is the point
      if (++calls < 3) throw std::runtime_error("503");
      return mine;
    };
    const std::vector<std::string> words{std::string(100, 'a')};
    EXPECT_EQ(map(background(), words, thrice, uses_up).to_vector(), words);
  });
}

TEST(process_retry, of_jobs_that_f_uses_up_is_refused) {
  const auto refused = [](auto f) {
    EXPECT_THROW((void)process(background(), one_seven(), thrice, f), std::invalid_argument);
    EXPECT_EQ(process(background(), one_seven(), {.workers = 1}, f).to_vector(),
              std::vector<int>{7});
  };
  refused([](std::unique_ptr<int> p) { return *p; });
  refused([](std::unique_ptr<int>&& p) { return *p; });
  refused([](auto&& p) {
    const std::unique_ptr<int> mine = std::move(p);  // NOLINT: that it does is the point
    return *mine;
  });
  std::vector<std::vector<std::unique_ptr<int>>> nested;
  nested.push_back(one_seven());
  const auto first = [](std::vector<std::unique_ptr<int>> v) { return *v[0]; };
  EXPECT_THROW((void)process(background(), std::move(nested), thrice, first),
               std::invalid_argument);
  nested.clear();
  nested.push_back(one_seven());
  const auto looks = [](const context&, const std::vector<std::unique_ptr<int>>& v) noexcept {
    return *v[0];
  };
  EXPECT_EQ(process(background(), std::move(nested), thrice, looks).to_vector(),
            std::vector<int>{7});
}

// ---- jobs and results of all kinds --------------------------------------------------------------

/// Its move throws when the countdown, over all of them, is at 0. A throw leaves it as it was.
struct brittle {
  static inline std::atomic<int> countdown{-1};
  explicit brittle(int n) : value(n) {}
  brittle(brittle&& other) : value(other.value) {  // NOLINT: that it throws is the point
    if (countdown >= 0 && countdown-- == 0) throw std::runtime_error("a move");
    other.value = -1;
  }
  brittle& operator=(brittle&&) = default;
  ~brittle() = default;
  int value;
};

/// Runs f, whose n-th move throws; for n = 0, 1, … until no move is left that could.
template <class F>
void at_each_move(F f) {
  for (int n = 0;; ++n) {
    ASSERT_LT(n, 100) << "it moves without end";
    brittle::countdown = n;
    bool thrown = false;
    try {
      f();
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    const bool is_over = brittle::countdown.exchange(-1) >= 0;
    EXPECT_EQ(thrown, !is_over) << "at move " << n;
    if (is_over) return;
  }
}

WEIR_RULE(process_ends, a_result_whose_move_throws_is_a_failure) {
  crew_.run([] {
    for (const std::int64_t batch : {1, 2}) {
      at_each_move([&] {
        int next = 0;
        for (const auto& r :
             process_ordered(background(), numbers(3), {.workers = 1, .batch = batch},
                             [](int i) { return brittle(i); })) {
          EXPECT_EQ(r.value, next++);
        }
      });
      at_each_move([&] {
        (void)process(background(), numbers(3), {.workers = 1, .batch = batch}, [](int i) {
          return brittle(i);
        }).to_vector();
      });
    }
  });
}

WEIR_RULE(process_ends, a_job_whose_move_throws_takes_no_other_with_it) {
  crew_.run([] {
    for (const std::int64_t batch : {1, 8}) {
      at_each_move([&] {
        std::vector<brittle> jobs;
        jobs.reserve(5);
        for (const int i : numbers(5)) jobs.emplace_back(i);
        int next = 0;
        for_each(background(), std::move(jobs), {.workers = 1, .batch = batch},
                 [&](const brittle& b) { EXPECT_EQ(b.value, next++); });
        EXPECT_EQ(next, 5);
      });
    }
  });
}

WEIR_RULE(process_ends, results_need_not_be_assignable) {
  crew_.run([] {
    struct fixed {
      const int value;
    };
    auto s = process_ordered(background(), numbers(3), {}, [](int i) { return fixed{i}; });
    static_assert(std::ranges::input_range<decltype(s)>);
    int next = 0;
    for (const fixed& f : s) EXPECT_EQ(f.value, next++);
    EXPECT_EQ(next, 3);
  });
}

WEIR_RULE(process_ends, a_result_may_be_an_exception_pointer) {
  crew_.run([] {
    const auto f = [](int i) -> std::exception_ptr {
      if (i == 1) throw std::runtime_error("1");
      return i == 0 ? nullptr : std::make_exception_ptr(i);
    };
    auto s = process_ordered(background(), numbers(3), {.on_error = on_error::collect}, f);
    std::vector<bool> good;
    for (auto& o : s.outcomes()) {
      good.push_back(o.has_value());
      EXPECT_EQ(o.error() != nullptr, !o.has_value());
    }
    EXPECT_EQ(good, (std::vector<bool>{true, false, true}));
  });
}

TEST(process_outcome, can_be_copied_if_its_value_can) {
  struct copied {  // its move is a copy, which may throw
    explicit copied(int n) : values(1, n) {}
    copied(const copied& other) = default;
    std::vector<int> values;
  };
  const outcome<copied> one(0, copied(7));
  outcome<copied> other = one;
  EXPECT_EQ(other.value().values, one.value().values);
  other = outcome<copied>(1, copied(8));
  EXPECT_EQ(one.value().values[0], 7);
  EXPECT_EQ(other.value().values[0], 8);
  EXPECT_FALSE(std::is_copy_constructible_v<outcome<brittle>>);
  EXPECT_TRUE(std::is_nothrow_move_constructible_v<outcome<brittle>>);
}

// ---- sizes --------------------------------------------------------------------------------------

TEST(process_sizes, that_no_memory_can_hold_are_named) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t n : {std::int64_t{10'000'000'000'000}, most / 4, most}) {
    if (sanitized && n < most / 4) continue;  // a sanitizer's allocator ends the program instead
    const std::string number = std::to_string(n);
    const auto queue = [&] { (void)process(background(), numbers(1), {.queue = n}, same); };
    EXPECT_NE(refusal(queue).find("queue " + number), std::string::npos) << refusal(queue);
    const auto window = [&] {
      (void)process_ordered(background(), numbers(1), {.window = n}, same);
    };
    EXPECT_NE(refusal(window).find("window " + number), std::string::npos) << refusal(window);
  }
  for (const std::int64_t n : {most, std::int64_t{-1000}}) {  // and so before they are added up
    const auto queue = [&] { (void)process_ordered(background(), numbers(1), {.queue = n}, same); };
    EXPECT_NE(refusal(queue).find("queue " + std::to_string(n)), std::string::npos);
    const auto workers = [&] {
      (void)process_ordered(background(), numbers(1), {.workers = adaptive{.max = n}}, same);
    };
    EXPECT_NE(refusal(workers).find("workers adaptive{1, " + std::to_string(n)), std::string::npos);
  }
}

}  // namespace
