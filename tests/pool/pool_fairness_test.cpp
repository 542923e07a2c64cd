// SPDX-License-Identifier: MIT
// A pool that always has work shares its carrier with everybody else.
#include "support.hpp"

#include <functional>
#include <thread>

namespace {

using namespace weir_test;
using namespace weir;

/// A pool on one carrier. From begin() on a thread posts what takes longer to do than to post.
class flooded_pool {
 public:
  ~flooded_pool() {
    stop_ = true;
    if (poster_.joinable()) poster_.join();
  }
  void begin() {
    poster_ = std::thread([this] {
      const auto job = [] { weir_test::compute_for(2us); };
      while (!stop_) jobs.post(job);
    });
  }

  runtime rt{{.carriers = 1}};
  const pool<> jobs{{.workers = 2, .queue = 4096, .runtime = &rt}};

 private:
  std::atomic<bool> stop_{false};
  std::thread poster_;
};

TEST(pool_fairness, a_queue_that_never_runs_dry_holds_up_no_task_and_no_timer) {
  std::atomic<int> ticks{0};
  flooded_pool p;
  p.begin();
  p.rt.go([&] {
    for (; ticks < 3; ++ticks) (void)with_timeout(background(), 5ms).ctx.done().receive();
  });
  until([&] { return ticks == 3; });
}

TEST(pool_fairness, a_deadline_ends_a_job_whose_pool_is_flooded) {
  flooded_pool p;
  auto late = p.jobs.submit(job_options{.timeout = 5ms}, [](const context& ctx) {
    (void)ctx.done().receive();
    return 1;
  });
  p.begin();
  until([&] { return late.ready(); });
  EXPECT_THROW((void)late.get(), std::system_error);
}

TEST(pool_fairness, what_a_thread_sends_to_a_busy_carrier_comes_to_its_turn) {
  // Jobs that post the next ones: two workers take turns, and the carrier never looks up by itself.
  runtime rt{{.carriers = 1}};
  const pool<> p{{.workers = 2, .queue = 1024, .runtime = &rt}};
  std::atomic<bool> stop{false};
  std::function<void()> again = [&] {
    if (!stop) p.post([&] { again(); });
  };
  for (int i = 0; i < 20; ++i) p.post([&] { again(); });
  for (int i = 0; i < 3; ++i) {
    std::atomic<bool> ran{false};
    rt.go([&] { ran = true; });
    until([&] { return ran.load(); });
  }
  stop = true;
  p.wait();
}

}  // namespace
