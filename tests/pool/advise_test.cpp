// SPDX-License-Identifier: MIT
// advise(): the right answer for jobs that are clearly of one kind, and what it does to the sample.
#include "support.hpp"

#include <weir/advise.hpp>

namespace {

using namespace weir_test;
using namespace weir;

/// Uses the CPU for so long, whoever else does.
void compute(std::chrono::nanoseconds d) {
  timespec begin{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
  for (std::int64_t used = 0; used < d.count();) {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    used = (now.tv_sec - begin.tv_sec) * 1'000'000'000 + now.tv_nsec - begin.tv_nsec;
  }
}

TEST(advise_test, jobs_that_are_too_small_belong_into_a_loop) {
  std::atomic<int> n{0};
  const advice a = advise([&] { ++n; });
  EXPECT_EQ(a.best, way::inline_loop) << a.text();
  EXPECT_LT(a.in_loop, a.in_pool);
  EXPECT_GT(a.batch, 1) << "more of them made one";
  EXPECT_EQ(a.sampled, n);
}

TEST(advise_test, jobs_that_compute_for_long_get_a_worker_a_cpu) {
  const advice a = advise([] { compute(10ms); });
  EXPECT_EQ(a.workers, default_carriers()) << a.text();
  EXPECT_EQ(a.best, default_carriers() > 1 ? way::pool : way::inline_loop) << a.text();
  EXPECT_EQ(a.batch, 1);
}

TEST(advise_test, jobs_that_wait_get_many_workers) {
  const advice a = advise([] { weir::sleep_for(2ms); }, {.workers = 50});
  EXPECT_EQ(a.best, way::pool) << a.text();
  EXPECT_GT(a.workers, 2 * default_carriers());
  EXPECT_LE(a.workers, 50);
  EXPECT_LT(a.in_pool, a.in_loop / 4);
}

TEST(advise_test, a_task_each_is_an_answer_only_if_it_is_known_how_many_there_can_be) {
  const auto wait = [] { weir::sleep_for(20ms); };
  EXPECT_EQ(advise(wait, {.workers = 4}).best, way::pool);
  const advice a = advise(wait, {.jobs = 500, .workers = 4});
  EXPECT_EQ(a.best, way::task_each) << a.text();
}

TEST(advise_test, each_job_of_a_range_runs_once) {
  std::vector<int> runs(100);
  std::vector<std::function<void()>> jobs;
  for (int& r : runs) jobs.emplace_back([&r] { ++r; });
  const advice a = advise(jobs);
  EXPECT_EQ(a.sampled, 100);
  EXPECT_EQ(runs, std::vector<int>(100, 1));
}

TEST(advise_test, there_are_no_more_workers_than_jobs_at_once) {
  const advice a = advise([] { weir::sleep_for(2ms); }, {.jobs = 1});
  EXPECT_EQ(a.workers, 1) << a.text();
  EXPECT_EQ(a.best, way::inline_loop) << a.text();
  EXPECT_EQ(advise([] { weir::sleep_for(20ms); }, {.jobs = 3}).workers, 3);
}

TEST(advise_test, one_job_is_run_however_short_the_time) {
  EXPECT_GE(advise([] {}, {.time = 1ns}).sampled, 1);
}

TEST(advise_test, it_runs_in_a_task_as_well) {
  weir::run([] { EXPECT_GT(advise([] { compute(10us); }).sampled, 0); });
}

TEST(advise_test, what_a_sample_job_throws_comes_out) {
  EXPECT_THROW((void)advise([] { throw std::domain_error("of the job"); }), std::domain_error);
}

TEST(advise_test, it_says_what_it_found) {
  advice a;
  a.wall = a.cpu = a.in_loop = 1900ns;
  a.in_pool = 1100ns;
  a.in_tasks = 1234567ns;
  a.best = way::pool;
  a.workers = 2;
  a.batch = 5;
  EXPECT_EQ(a.text(),
            "A job takes 1.9 us, all of it computing.\n"
            "In a loop: 1.9 us a job; a pool of 2: 1.1 us; a task each: 1.23 ms.\n"
            "Use a pool of 2. 5 of them made one job would let a pool work at 90 %.\n");
}

TEST(advise_test, nonsense_is_refused) {
  const auto nothing = [] {};
  EXPECT_THROW((void)advise(std::vector<std::function<void()>>()), std::invalid_argument);
  EXPECT_THROW((void)advise(nothing, {.time = 0ns}), std::invalid_argument);
  EXPECT_THROW((void)advise(nothing, {.jobs = -1}), std::invalid_argument);
  EXPECT_THROW((void)advise(nothing, {.workers = 0}), std::invalid_argument);
}

}  // namespace
