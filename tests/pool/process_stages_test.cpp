// SPDX-License-Identifier: MIT
// A stream whose jobs are another's results: it can end at any time, and knows how that one ended.
#include "support.hpp"

#include <ranges>

#include "numbers.hpp"

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(process_stages);

const auto same = [](int i) { return i; };

/// One job, and then nothing for ever.
channel<int> quiet_after_one() {
  channel<int> jobs{1};
  jobs.send(1);
  return jobs;
}

WEIR_RULE(process_stages, all_that_the_first_gives_goes_through_the_others) {
  crew_.run([] {
    const int n = std::max(turns(300), 4);
    auto first = process_ordered(background(), numbers(n), {.workers = 2, .window = 3}, same);
    auto second = process_ordered(background(), std::move(first), {.workers = 2}, same);
    const std::vector<int> got = map(background(), std::move(second), {.workers = 2}, same);
    EXPECT_EQ(got, numbers(n));
  });
}

WEIR_RULE(process_stages, the_last_can_be_left_while_the_first_has_nothing_to_do) {
  const auto quiet = quiet_after_one();
  crew_.run([&] {
    auto first = process(background(), quiet, {.workers = 1}, same);
    auto second = process(background(), std::move(first), {.workers = 1}, same);
    for (const int v : process(background(), std::move(second), {.workers = 1}, same)) {
      EXPECT_EQ(v, 1);
      break;
    }
  });
}

WEIR_RULE(process_stages, the_last_can_fail_while_the_first_has_nothing_to_do) {
  const auto quiet = quiet_after_one();
  crew_.run([&] {
    const auto bad = [](int) { throw std::runtime_error("bad row"); };
    EXPECT_THROW(
        for_each(background(), process(background(), quiet, {.workers = 1}, same), {}, bad),
        std::runtime_error);
  });
}

WEIR_RULE(process_stages, the_context_of_the_last_ends_it_while_the_first_has_nothing_to_do) {
  const auto quiet = quiet_after_one();
  crew_.run([&] {
    const auto [ctx, cancel] = with_cancel(background());
    const auto stop = [cancel = cancel](int) { cancel(); };
    EXPECT_THROW(for_each(ctx, process(background(), quiet, {.workers = 1}, same), {}, stop),
                 std::system_error);
  });
}

WEIR_RULE(process_stages, what_ends_the_last_ends_the_first_that_is_its_own) {
  const channel<int> begun{1};
  const channel<int> told{1};
  crew_.run([&] {
    const auto wait = [&](const context& ctx, int i) {
      if (i == 0) return *begun.receive();
      begun.send(0);
      (void)ctx.done().receive();
      told.send(i);
      return i;
    };
    auto first = process(background(), numbers(2), {.workers = 2}, wait);
    auto last = process(background(), std::move(first), {.workers = 1},
                        [](int) -> int { throw std::runtime_error("bad row"); });
    EXPECT_THROW((void)last.to_vector(), std::runtime_error);
    EXPECT_EQ(told.receive(), 1) << "while `last` is still there";
  });
}

WEIR_RULE(process_stages, the_callers_stream_is_there_when_the_one_above_is_left) {
  channel<int> jobs{2};
  jobs.send(1);
  crew_.run([&] {
    auto first = process(background(), jobs, {.workers = 1}, same);
    for ([[maybe_unused]] const int v : process(background(), first, {.workers = 1}, same)) break;
    jobs.send(2);
    jobs.close();
    EXPECT_EQ(first.to_vector(), std::vector<int>{2});
  });
}

WEIR_RULE(process_stages, a_failure_of_the_first_is_one_of_the_source) {
  crew_.run([] {
    const auto bad = [](int i) {
      if (i == 2) throw std::out_of_range("second");
      return i;
    };
    EXPECT_THROW(for_each(background(), process(background(), numbers(9), {.workers = 2}, bad), {},
                          [](int) {}),
                 std::out_of_range);

    std::atomic<int> ran{0};
    auto first =
        process(background(), numbers(9), {.workers = 2, .on_error = on_error::collect}, bad);
    EXPECT_THROW(for_each(background(), std::move(first),
                          {.workers = 1, .on_error = on_error::collect}, [&](int) { ++ran; }),
                 std::out_of_range);
    EXPECT_EQ(ran, 8) << "all that the first gave";
  });
}

WEIR_RULE(process_stages, outcomes_can_be_jobs) {
  const auto quiet = quiet_after_one();
  crew_.run([&] {
    const auto bad = [](int i) {
      if (i == 2) throw std::out_of_range("second");
      return i;
    };
    auto first = process_ordered(background(), numbers(4), {.on_error = on_error::collect}, bad);
    const auto good = [](const outcome<int>& o) { return o.has_value(); };
    EXPECT_EQ(map(background(), first.outcomes(), {.workers = 1}, good).to_vector(),
              (std::vector<bool>{true, true, false, true}));

    auto of_a_temporary = map(
        background(),
        process_ordered(background(), numbers(4), {.on_error = on_error::collect}, bad).outcomes(),
        {.workers = 1}, good);
    EXPECT_EQ(of_a_temporary.to_vector(), (std::vector<bool>{true, true, false, true}));

    auto waits = process(background(), quiet, {.workers = 1}, same);
    for (const bool v : process(background(), waits.outcomes(), {.workers = 1}, good)) {
      EXPECT_TRUE(v);
      break;
    }
  });
}

WEIR_RULE(process_stages, the_end_of_a_context_of_the_first_is_no_end_of_the_jobs) {
  crew_.run([] {
    const auto [ctx, cancel] = with_cancel(background());
    const auto stop = [cancel = cancel](int i) {
      if (i == 3) cancel();
      return i;
    };
    auto first = process(ctx, std::views::iota(0), {.workers = 1, .queue = 1}, stop);
    try {
      for_each(background(), std::move(first), {.workers = 1}, [](int) {});
      ADD_FAILURE() << "all was done?";
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code(), errc::cancelled);
    }
  });
}

WEIR_RULE(process_stages, of_one_context_end_together_and_quietly) {
  const auto [ctx, cancel] = with_cancel(background());
  crew_.spawn([cancel = cancel] { cancel(); });
  crew_.spawn([ctx = ctx] {
    auto first = process(ctx, std::views::iota(0), {.workers = 1, .queue = 1}, same);
    // Under a child, which is done a moment later.
    const auto below = with_cancel(ctx);
    for ([[maybe_unused]] const int v :
         process(below.ctx, std::move(first), {.workers = 1}, same)) {
    }
    EXPECT_EQ(ctx.error(), errc::cancelled);
  });
  crew_.join();
}

WEIR_RULE(process_stages, a_batch_of_a_stream_is_what_is_there) {
  const channel<int> jobs;
  const channel<int> results;
  crew_.spawn([=] {
    for (int i = 0; i < 4; ++i) {
      jobs.send(i);
      EXPECT_EQ(i % 2 == 0 ? results.receive() : i, i);
    }
    jobs.close();
  });
  crew_.spawn([=] {
    const auto bad = [](int i) {
      if (i % 2 == 1) throw std::runtime_error("odd");
      return i;
    };
    auto first = process(background(), jobs, {.workers = 1, .on_error = on_error::collect}, bad);
    EXPECT_THROW(for_each(background(), std::move(first), {.workers = 1, .batch = 16},
                          [&](int v) { results.send(v); }),
                 std::runtime_error);
  });
  crew_.join();
}

}  // namespace
