// SPDX-License-Identifier: MIT
// What ends with a pool, or as it fails, and in which order.
#include "support.hpp"

#include <optional>

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

}  // namespace
