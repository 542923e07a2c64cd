// SPDX-License-Identifier: MIT
// What ends with a pool, or as it fails, and in which order. And pools, streams and groups that end
// after their runtime has, or with the process.
#include "support.hpp"

#include <unistd.h>

#include <memory>
#include <optional>

#include "weir/detail/sanitizers.hpp"
#include "weir/process.hpp"
#include "weir/task_group.hpp"

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(pool_end_test);

WEIR_RULE(pool_end_test, what_its_functions_hold_has_ended_with_the_pool) {
  struct note {
    explicit note(std::atomic<int>& n) noexcept : alive(&n) { ++n; }
    note(const note& other) noexcept : note(*other.alive) {}
    note& operator=(const note&) = delete;
    ~note() { --*alive; }
    std::atomic<int>* alive;
  };
  for (int round = 0; round < turns(1000); ++round) {
    std::atomic<int> alive{0};
    crew_.run([&] {
      const pool<int> p{{.workers = 2, .queue = 4, .on_worker_stop = [held = note(alive)](int) {}},
                        [held = note(alive)] { return 1; }};
      for (int i = 0; i < 3; ++i) p.post([](int&) {});
    });
    ASSERT_EQ(alive, 0);
  }
}

WEIR_RULE(pool_end_test, what_a_failure_drops_may_wait_for_who_waits_for_the_failed_job) {
  struct waits_at_its_end {
    wait_group all;
    ~waits_at_its_end() { all.wait(); }
  };
  const wait_group first;
  const channel<int> go_on;
  const pool p{{.workers = 2, .on_error = on_error::fail_fast}};
  first.add();
  const channel<future<void>> others{1};
  p.post([&] {
    EXPECT_THROW(others.receive()->get(), std::runtime_error);
    first.done();
  });
  const channel<int> begun;
  auto failing = p.submit([&] {
    begun.send(0);
    (void)go_on.receive();
    throw std::runtime_error("no");
  });
  (void)begun.receive();  // so each has a worker
  others.send(std::move(failing));
  auto queued = std::make_shared<waits_at_its_end>();
  queued->all = first;
  p.post([held = std::move(queued)] { ADD_FAILURE() << "it was not to run"; });
  go_on.close();
  p.wait();
}

WEIR_RULE(pool_end_test, the_destructor_waits_for_who_hears_of_a_stuck_job) {
  const channel<int> heard;
  const channel<int> go_on;
  std::atomic<bool> over{false};
  std::optional<pool<>> p{
      std::in_place,
      pool_options{.workers = 1, .stuck_after = 4ms, .on_stuck = [&](const std::string&, auto) {
                     heard.send(0);
                     (void)go_on.receive();
                     over = true;
                   }}};
  const channel<int> job;
  p->post([=] { (void)job.receive(); });
  (void)heard.receive();
  job.close();
  p->wait();
  crew_.spawn([=] {
    for (int i = 0; i < 20; ++i) yield();
    go_on.close();
  });
  p.reset();
  EXPECT_TRUE(over);
}

/// Ends it, although a task of it waits for ever.
void give_up(runtime& rt) {
  const auto [ctx, cancel] = with_cancel(background());
  cancel();
  EXPECT_FALSE(rt.shutdown(ctx));
}

// ---- after a runtime that has come to its end --------------------------------------------------

TEST(pool_outlives_runtime, a_pool_that_was_drained_may_end_later) {
  auto rt = std::make_unique<runtime>(runtime_options{.carriers = 1});
  const pool<> p{{.workers = 1, .runtime = rt.get()}};
  p.submit([] {}).get();
  p.close();
  p.wait();
  rt.reset();
  EXPECT_EQ(p.stats().done, 1U);
  EXPECT_GT(p.memory_bound(), 0U);
}

TEST(pool_outlives_runtime, a_pool_that_never_had_a_job_takes_none) {
  auto rt = std::make_unique<runtime>(runtime_options{.carriers = 1});
  const pool<> p{{.workers = 1, .runtime = rt.get()}};
  rt.reset();
  EXPECT_EQ(error_of([&] { p.post([] {}); }), errc::closed);
}

TEST(pool_outlives_runtime, a_pool_that_is_made_later_takes_none) {
  runtime rt{{.carriers = 1}};
  ASSERT_TRUE(rt.shutdown());
  const pool<> p{{.workers = 1, .runtime = &rt}};
  EXPECT_EQ(error_of([&] { p.post([] {}); }), errc::closed);
}

TEST(pool_outlives_runtime, threads_go_on_and_try_again) {
  auto rt = std::make_unique<runtime>(runtime_options{.carriers = 1});
  const pool<> p{{.workers = 1,
                  .retry = {.attempts = 3, .first = 1ms},
                  .host = host::threads,
                  .runtime = rt.get()}};
  rt.reset();
  int attempts = 0;
  EXPECT_EQ(p.submit([&] {
               if (++attempts < 3) throw std::runtime_error("not yet");
               return attempts;
             }).get(),
            3);
}

TEST(pool_outlives_runtime, what_a_thread_is_to_try_again_is_tried_after_the_runtime_has_ended) {
  auto rt = std::make_unique<runtime>(runtime_options{.carriers = 1});
  const pool<> p{{.workers = 1,
                  .retry = {.attempts = 2, .first = 20ms},
                  .host = host::threads,
                  .runtime = rt.get()}};
  bool has_failed = false;
  auto f = p.submit([&] {
    if (!std::exchange(has_failed, true)) throw std::runtime_error("not yet");
    return 2;
  });
  until([&] { return p.stats().retried == 1; });
  rt.reset();
  EXPECT_EQ(f.get(), 2);
}

// ---- after a runtime that was given up ---------------------------------------------------------

TEST(runtime_given_up, what_its_pools_have_not_begun_is_cancelled) {
  runtime rt{{.carriers = 1}};
  const channel<int> never;
  const pool<> p{{.workers = 1, .runtime = &rt}};
  channel<int> begun;
  p.post([=] {
    begun.send(1);
    (void)never.receive();
  });
  auto f = p.submit([] { return 2; });
  (void)begun.receive();
  give_up(rt);
  EXPECT_EQ(error_of([&] { (void)f.get(); }), errc::cancelled);
  EXPECT_EQ(p.stats().cancelled, 1U);
}

TEST(runtime_given_up, its_pools_take_no_more) {
  runtime rt{{.carriers = 1}};
  const pool<> p{{.workers = 1, .runtime = &rt}};
  p.submit([] {}).get();
  give_up(rt);
  EXPECT_EQ(error_of([&] { (void)p.submit([] { return 1; }); }), errc::closed);
  EXPECT_TRUE(p.ctx().cancelled());
}

TEST(runtime_given_up, a_paused_pool_gives_nothing_to_workers_that_never_come_back) {
  runtime rt{{.carriers = 1}};
  const pool<> p{{.workers = 1, .runtime = &rt}};
  p.submit([] {}).get();
  until([&] { return p.stats().idle == 1; });
  p.pause();
  auto f = p.submit([] { return 2; });
  give_up(rt);
  EXPECT_EQ(error_of([&] { (void)f.get(); }), errc::cancelled);
}

TEST(runtime_given_up, what_a_job_that_never_ran_holds_has_ended_with_its_pool) {
  runtime rt{{.carriers = 1}};
  const auto held = std::make_shared<int>(1);
  {
    const pool<> p{{.workers = 1, .runtime = &rt}};
    p.pause();
    p.post([held] {});
    const auto forever = [] { (void)channel<int>{}.receive(); };
    rt.go(forever);
    give_up(rt);
  }
  EXPECT_EQ(held.use_count(), 1);
}

class left_stream : public testing::TestWithParam<on_error> {};

TEST_P(left_stream, a_stream_does_not_wait_for_what_never_ends) {
  runtime rt{{.carriers = 1}};
  const channel<int> never;
  channel<int> begun;
  std::vector<int> jobs(100);
  std::unique_ptr<stream<int>> s;
  rt.run([&] {
    s = std::make_unique<stream<int>>(
        process(background(), jobs, {.workers = 1, .queue = 4, .on_error = GetParam()}, [=](int i) {
          begun.send(1);
          (void)never.receive();
          return i;
        }));
  });
  (void)begun.receive();
  give_up(rt);
  s.reset();
}

INSTANTIATE_TEST_SUITE_P(runtime_given_up, left_stream,
                         testing::Values(on_error::fail_fast, on_error::collect));

TEST(runtime_given_up, a_group_does_not_wait_for_what_never_ends) {
  runtime rt{{.carriers = 1}};
  std::optional<task_group> g(std::in_place);
  rt.run([&] { g->go([] { (void)channel<int>{}.receive(); }); });
  give_up(rt);
  g.reset();
}

// ---- static ones -------------------------------------------------------------------------------

class static_death : public testing::Test {
 protected:
  void SetUp() override {
    if (sanitized) GTEST_SKIP() << "a sanitizer's own exit comes in between";
    GTEST_FLAG_SET(death_test_style, "threadsafe");
  }
};

[[noreturn]] void leave_stream() {
  static const channel<int> source{1};
  static auto s = process(background(), source, {.workers = 1}, [](int i) { return i; });
  source.send(1);
  static auto first = s.begin();
  std::exit(*first + 5);
}

TEST_F(static_death, a_stream_whose_source_has_no_end) {
  EXPECT_EXIT(leave_stream(), testing::ExitedWithCode(6), "^$");
}

[[noreturn]] void leave_group() {
  static task_group g;
  g.go([] { (void)channel<int>{}.receive(); });
  std::exit(6);
}

TEST_F(static_death, a_group_whose_task_has_no_end) {
  EXPECT_EXIT(leave_group(), testing::ExitedWithCode(6), "^$");
}

/// The pool's one thread runs f when the process ends, and another job is queued.
template <class F>
[[noreturn]] void leave_threads_in(F f) {
  static const pool<> p{{.workers = 1, .host = host::threads}};
  static const channel<int> begun;
  p.post([f](const context& ctx) {
    begun.send(1);
    f(ctx);
  });
  p.post([] { std::abort(); });
  (void)begun.receive();
  std::exit(6);
}

TEST_F(static_death, a_pool_of_threads_with_a_job_that_has_no_end) {
  EXPECT_EXIT(leave_threads_in([](const context&) { (void)channel<int>{}.receive(); }),
              testing::ExitedWithCode(6), "^$");
}

TEST_F(static_death, a_job_in_a_pool_of_threads_hears_of_it_and_what_is_queued_is_not_run) {
  EXPECT_EXIT(leave_threads_in([](const context& ctx) { (void)ctx.done().receive(); }),
              testing::ExitedWithCode(6), "^$");
}

[[noreturn]] void leave_idle_threads() {
  static const pool<> p{
      {.workers = 1, .host = host::threads, .on_worker_stop = [](int) { _exit(7); }}};
  p.submit([] {}).get();
  std::exit(6);
}

TEST_F(static_death, a_pool_of_threads_that_is_idle_ends_its_workers) {
  EXPECT_EXIT(leave_idle_threads(), testing::ExitedWithCode(7), "^$");
}

}  // namespace
