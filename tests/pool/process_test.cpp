// SPDX-License-Identifier: MIT
// process, process_ordered, map, for_each: what comes in comes out, once, and nothing stays behind.
#include "support.hpp"

#include <ranges>

#include "numbers.hpp"

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(process_test);

const auto twice = [](int i) { return 2 * i; };

WEIR_RULE(process_test, every_job_of_a_channel_gives_one_result) {
  const channel<int> jobs;
  const int n = std::max(turns(1000), 5);
  crew_.spawn([=] {
    for (int i = 0; i < n; ++i) jobs.send(i);
    jobs.close();
  });
  crew_.run([&] {
    std::vector<int> got;
    for (const int v : process(background(), jobs, {.workers = 3, .queue = 2}, twice)) {
      got.push_back(v);
    }
    std::sort(got.begin(), got.end());
    std::vector<int> expected = numbers(n);
    for (int& v : expected) v *= 2;
    EXPECT_EQ(got, expected);
  });
}

WEIR_RULE(process_test, ordered_results_come_in_the_order_of_the_jobs) {
  crew_.run([] {
    const int n = std::max(turns(500), 6);
    std::vector<int> got;
    for (const int v :
         process_ordered(background(), numbers(n), {.workers = 3, .window = 4}, [](int i) {
           if (i % 2 == 0) yield();
           return i;
         })) {
      got.push_back(v);
    }
    EXPECT_EQ(got, numbers(n));
  });
}

WEIR_RULE(process_test, a_window_bounds_how_far_the_source_is_ahead) {
  crew_.run([] {
    int taken = 0;
    auto source = std::views::iota(0) | std::views::transform([&](int i) {
                    ++taken;
                    return i;
                  });
    int seen = 0;
    for (const int v :
         process_ordered(background(), source, {.workers = 2, .queue = 8, .window = 5},
                         [](int i) { return i; })) {
      EXPECT_EQ(v, seen);
      if (++seen == 10) break;
    }
    EXPECT_LE(taken, 10 + 5 + 1) << "an endless range is read only as far as it is needed";
  });
}

WEIR_RULE(process_test, the_first_failure_cancels_the_rest_and_comes_out_of_the_loop) {
  crew_.run([] {
    std::atomic<int> started{0};
    const auto f = [&](const context& ctx, int i) {
      ++started;
      if (i == 3) throw std::runtime_error("third");
      if (i > 3) (void)ctx.done().receive();
      return i;
    };
    try {
      for ([[maybe_unused]] const int v :
           process(background(), std::views::iota(0), {.workers = 2, .queue = 1}, f)) {
      }
      FAIL();
    } catch (const std::runtime_error& e) {
      EXPECT_STREQ(e.what(), "third");
    }
    EXPECT_LE(started, 8);
  });
}

WEIR_RULE(process_test, the_function_may_be_a_member_of_the_job) {
  crew_.run([] {
    struct named {
      std::string name;
      int* calls;
      void call() const { ++*calls; }
    };
    int calls = 0;
    const std::vector<named> jobs{{"a", &calls}, {"bcd", &calls}};
    for_each(background(), jobs, {.workers = 1}, &named::call);
    EXPECT_EQ(calls, 2);
    const std::vector<std::string> names = map(background(), jobs, {.workers = 1}, &named::name);
    EXPECT_EQ(names, (std::vector<std::string>{"a", "bcd"}));
    const std::vector<std::size_t> sizes =
        map(background(), names, {.workers = 1}, &std::string::size);
    EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 3}));
  });
}

WEIR_RULE(process_test, collected_failures_cancel_nothing) {
  crew_.run([] {
    const auto f = [](int i) {
      if (i % 3 == 0) throw std::runtime_error(std::to_string(i));
      return i;
    };
    int good = 0;
    int bad = 0;
    auto s = process(background(), numbers(9), {.workers = 2, .on_error = on_error::collect}, f);
    for (auto& o : s.outcomes()) {
      if (o.has_value()) {
        EXPECT_EQ(static_cast<int>(o.index()), o.value());
        ++good;
      } else {
        EXPECT_EQ(o.index() % 3, 0);
        EXPECT_THROW((void)o.value(), std::runtime_error);
        EXPECT_TRUE(o.error());
        ++bad;
      }
    }
    EXPECT_EQ(good, 6);
    EXPECT_EQ(bad, 3);
    int values = 0;
    EXPECT_THROW(
        {
          for ([[maybe_unused]] const int v : process(
                   background(), numbers(9), {.workers = 2, .on_error = on_error::collect}, f)) {
            ++values;
          }
        },
        std::runtime_error);
    EXPECT_EQ(values, 6) << "all there are, and then the failure";
  });
}

WEIR_RULE(process_test, leaving_the_loop_joins_the_workers) {
  crew_.run([] {
    std::atomic<int> in{0};
    const auto f = [&](const context& ctx, int i) {
      ++in;
      if (i > 0) (void)ctx.done().receive();
      --in;
      return i;
    };
    for ([[maybe_unused]] const int v :
         process(background(), std::views::iota(0), {.workers = 4}, f)) {
      break;
    }
    EXPECT_EQ(in, 0);
  });
}

WEIR_RULE(process_test, a_context_that_is_done_ends_the_loop) {
  crew_.run([] {
    auto [ctx, cancel] = with_cancel(background());
    const channel<int> never;
    int seen = 0;
    const auto f = [&, cancel = cancel](int) {
      cancel();
      return 0;
    };
    for ([[maybe_unused]] const int v :
         process(ctx, std::views::iota(0), {.workers = 1, .queue = 0}, f)) {
      ++seen;
    }
    EXPECT_LE(seen, 2);
    EXPECT_EQ(ctx.error(), errc::cancelled);
    EXPECT_THROW(for_each(ctx, numbers(3), {}, [](int) {}), std::system_error);
  });
}

WEIR_RULE(process_test, a_source_that_throws_is_a_failure) {
  crew_.run([] {
    auto bad = std::views::iota(0) | std::views::transform([](int i) {
                 if (i == 2) throw std::out_of_range("source");
                 return i;
               });
    EXPECT_THROW((void)map(background(), bad, {.workers = 2}, twice).to_vector(),
                 std::out_of_range);
  });
}

WEIR_RULE(process_test, map_gives_a_vector_in_order_and_for_each_waits_for_all) {
  crew_.run([] {
    const std::vector<std::string> words{"a", "bcd", "ef"};
    const std::vector<std::size_t> sizes =
        map(background(), words, {.workers = 2}, [](const std::string& s) { return s.size(); });
    EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 3, 2}));
    std::atomic<int> sum{0};
    for_each(background(), numbers(10), {.workers = 3}, [&](int i) { sum += i; });
    EXPECT_EQ(sum, 45);
    for_each(background(), numbers(3), [&](int i) { sum += i; });
    EXPECT_EQ(sum, 48) << "with default options";
    EXPECT_EQ(map(background(), numbers(3), twice).to_vector(), (std::vector<int>{0, 2, 4}));
  });
}

WEIR_RULE(process_test, a_loop_may_be_over_the_outcomes_of_a_temporary) {
  crew_.run([] {
    std::set<int> got;
    for (auto& o :
         process(background(), numbers(9), {.workers = 2}, [](int i) { return i; }).outcomes()) {
      got.insert(o.value());
    }
    EXPECT_EQ(got.size(), 9U);
  });
}

WEIR_RULE(process_test, move_only_jobs_and_results_pass) {
  const channel<std::unique_ptr<int>> jobs{4};
  for (int i = 0; i < 4; ++i) jobs.send(std::make_unique<int>(i));
  jobs.close();
  crew_.run([&] {
    int sum = 0;
    for (std::unique_ptr<int> r :
         process(background(), jobs, {.workers = 2}, [](std::unique_ptr<int> p) {
           *p *= 10;
           return p;
         })) {
      sum += *r;
    }
    EXPECT_EQ(sum, 60);
  });
}

WEIR_RULE(process_test, a_range_that_is_the_streams_own_is_moved_out_of) {
  crew_.run([] {
    std::vector<std::unique_ptr<int>> jobs;
    for (int i = 0; i < 4; ++i) jobs.push_back(std::make_unique<int>(i));
    const auto value = [](std::unique_ptr<int> p) { return *p; };
    const std::vector<int> got = map(background(), std::move(jobs), {.workers = 2}, value);
    EXPECT_EQ(got, (std::vector<int>{0, 1, 2, 3}));

    std::vector<std::string> names{std::string(100, 'a')};
    const auto size = [](std::string s) { return s.size(); };
    EXPECT_EQ(map(background(), names, size).to_vector()[0], 100U);
    EXPECT_EQ(names[0].size(), 100U) << "the caller's is copied";
  });
}

/// As a generator is: an input range that is a view, and has no copy.
struct counter : std::ranges::view_interface<counter> {
  explicit counter(int n) : stop(n) {}
  counter(counter&&) = default;
  counter& operator=(counter&&) = default;
  class iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    explicit iterator(counter& of) : of_(&of) {}
    int operator*() const { return of_->at; }
    iterator& operator++() {
      ++of_->at;
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& it, std::default_sentinel_t) {
      return it.of_->at == it.of_->stop;
    }

   private:
    counter* of_;
  };
  iterator begin() { return iterator(*this); }
  std::default_sentinel_t end() { return {}; }

  int at = 0;
  int stop;
};

WEIR_RULE(process_test, a_generator_is_used_where_it_is_or_moved) {
  crew_.run([] {
    const std::vector<int> doubled{0, 2, 4};
    counter jobs(3);
    EXPECT_EQ(map(background(), jobs, {.workers = 2}, twice).to_vector(), doubled);
    EXPECT_EQ(*jobs.begin(), 3) << "used up";
    EXPECT_EQ(map(background(), counter(3), {.workers = 2}, twice).to_vector(), doubled);
  });
}

struct alignas(256) wide {
  int number;
  [[nodiscard]] bool is_aligned() const {
    return reinterpret_cast<std::uintptr_t>(this) % alignof(wide) == 0;
  }
};

WEIR_RULE(process_test, jobs_and_results_may_want_any_alignment) {
  crew_.run([] {
    const std::vector<wide> jobs{wide{1}, wide{2}, wide{3}};
    int sum = 0;
    for (const wide& w : process(background(), jobs, {.workers = 2}, [](const wide& job) {
           EXPECT_TRUE(job.is_aligned());
           return job;
         })) {
      EXPECT_TRUE(w.is_aligned());
      sum += w.number;
    }
    EXPECT_EQ(sum, 6);
  });
}

WEIR_RULE(process_test, a_job_may_be_the_address_of_what_it_changes) {
  crew_.run([] {
    std::vector<int> cells = numbers(4);
    auto addresses = cells | std::views::transform([](int& c) { return &c; });
    for_each(background(), addresses, {.workers = 2}, [](int* c) { *c += 10; });
    EXPECT_EQ(cells, (std::vector<int>{10, 11, 12, 13}));
  });
}

WEIR_RULE(process_test, a_job_that_fails_at_first_is_tried_again) {
  crew_.run([] {
    std::atomic<int> calls{0};
    const auto flaky = [&](std::string s) {
      if (++calls % 2 == 1) throw std::runtime_error("flaky");
      return s + "!";
    };
    std::vector<std::string> got =
        map(background(), std::vector<std::string>{"a"},
            {.workers = 1, .retry = {.attempts = 2, .first = 1ms}}, flaky);
    EXPECT_EQ(got, std::vector<std::string>{"a!"});
  });
}

}  // namespace
