// SPDX-License-Identifier: MIT
// Jobs that come in while all workers are busy take a way of their own, without the pool's lock:
// nobody is to notice.
#include "support.hpp"

#include <vector>

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(pool_inbox_test);

/// A pool of one, whose worker is busy until it is released, and has one job queued: from then on
/// others come in without the lock.
class busy_pool {
 public:
  explicit busy_pool(pool_options options)
      : pool_([&] {
          options.workers = 1;
          return std::move(options);
        }()) {
    pool_.post([open = open_, started = started_] {
      started.send(0);
      (void)open.receive();
    });
    (void)started_.receive();
    pool_.post(note(0));
  }
  [[nodiscard]] const pool<>& get() const { return pool_; }
  /// A job that says that it ran.
  [[nodiscard]] std::function<void()> note(int n) const {
    return [ran = ran_, n] { ran->push_back(n); };
  }
  void release() const { open_.close(); }
  /// Once the pool is at rest: what ran, in order.
  [[nodiscard]] const std::vector<int>& ran() const { return *ran_; }

 private:
  channel<int> open_;
  channel<int> started_;
  std::shared_ptr<std::vector<int>> ran_ = std::make_shared<std::vector<int>>();
  pool<> pool_;
};

WEIR_RULE(pool_inbox_test, they_run_in_the_order_of_coming) {
  crew_.run([] {
    const busy_pool p({.queue = 16});
    for (int i = 1; i < 10; ++i) p.get().post(p.note(i));
    p.release();
    p.get().wait();
    EXPECT_EQ(p.ran(), (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  });
}

WEIR_RULE(pool_inbox_test, they_count_as_queued) {
  crew_.run([] {
    const busy_pool p({.queue = 16});
    for (int i = 1; i < 10; ++i) p.get().post(p.note(i));
    const pool_stats s = p.get().stats();
    EXPECT_EQ(s.depth, 10U);
    EXPECT_EQ(s.submitted, 11U);
    EXPECT_EQ(s.running, 1U);
    p.release();
    p.get().wait();
    EXPECT_EQ(p.get().stats().done, 11U);
  });
}

WEIR_RULE(pool_inbox_test, they_are_no_more_than_the_queue_has_room_for) {
  crew_.run([] {
    const busy_pool p({.queue = 8});
    int taken = 1;
    for (int i = 1; i < 20; ++i) taken += p.get().try_submit(p.note(i)) ? 1 : 0;
    EXPECT_EQ(taken, 8);
    EXPECT_EQ(p.get().stats().rejected, 12U);
    p.release();
    p.get().wait();
    EXPECT_EQ(p.ran().size(), 8U);
  });
}

WEIR_RULE(pool_inbox_test, a_higher_priority_passes_them) {
  crew_.run([] {
    const busy_pool p({.queue = 16});
    p.get().post(p.note(1));
    p.get().post({.priority = priority::low}, p.note(2));
    p.get().post({.priority = priority::high}, p.note(3));
    p.get().post(p.note(4));
    p.release();
    p.get().wait();
    EXPECT_EQ(p.ran(), (std::vector<int>{3, 0, 1, 4, 2}));
  });
}

WEIR_RULE(pool_inbox_test, stop_returns_them) {
  crew_.run([] {
    const busy_pool p({.queue = 16});
    for (int i = 1; i < 5; ++i) p.get().post(p.note(i));
    unrun_jobs left = p.get().stop();
    p.release();
    p.get().wait();
    ASSERT_EQ(left.size(), 5U);
    for (std::size_t i = 0; i < left.size(); ++i) left.run(i);
    EXPECT_EQ(p.ran(), (std::vector<int>{0, 1, 2, 3, 4}));
  });
}

WEIR_RULE(pool_inbox_test, drop_oldest_drops_them_in_order) {
  crew_.run([] {
    const busy_pool p({.queue = 4, .when_full = when_full::drop_oldest});
    for (int i = 1; i < 7; ++i) p.get().post(p.note(i));
    p.release();
    p.get().wait();
    EXPECT_EQ(p.ran(), (std::vector<int>{3, 4, 5, 6}));
  });
}

WEIR_RULE(pool_inbox_test, a_closed_pool_takes_none_and_runs_those_it_has) {
  crew_.run([] {
    const busy_pool p({.queue = 16});
    p.get().post(p.note(1));
    p.get().close();
    EXPECT_THROW(p.get().post(p.note(2)), std::system_error);
    p.release();
    p.get().wait();
    EXPECT_EQ(p.ran(), (std::vector<int>{0, 1}));
  });
}

WEIR_RULE(pool_inbox_test, a_pool_whose_context_is_done_takes_none) {
  crew_.run([] {
    auto [ctx, cancel] = with_cancel(background());
    const channel<int> open;
    const channel<int> started;
    const pool p{ctx, {.workers = 1, .queue = 16}};
    for (int i = 0; i < 2; ++i) {
      p.post([open, started] {
        started.send(0);
        (void)open.receive();
      });
    }
    (void)started.receive();
    cancel();
    EXPECT_THROW(p.post([] {}), std::system_error);
    open.close();
    p.wait();
    EXPECT_EQ(p.stats().cancelled, 2U);
  });
}

WEIR_RULE(pool_inbox_test, a_job_that_waits_for_them_runs_them) {
  crew_.run([] {
    const pool p{{.workers = 1, .queue = 16}};
    const int sum = p.submit([&p] {
                       auto first = p.submit([] { return 1; });
                       auto second = p.submit([] { return 2; });
                       auto third = p.submit([] { return 3; });
                       return third.get() + second.get() + first.get();
                     }).get();
    EXPECT_EQ(sum, 6);
  });
}

WEIR_RULE(pool_inbox_test, a_paused_pool_keeps_them) {
  crew_.run([] {
    const busy_pool p({.queue = 16});
    p.get().post(p.note(1));
    p.get().pause();
    p.get().post(p.note(2));
    p.release();
    while (p.get().stats().running > 0) yield();
    EXPECT_EQ(p.get().stats().depth, 3U);
    p.get().resume();
    p.get().wait();
    EXPECT_EQ(p.ran(), (std::vector<int>{0, 1, 2}));
  });
}

WEIR_RULE(pool_inbox_test, more_workers_get_to_those_that_wait) {
  crew_.run([] {
    const busy_pool p({.queue = 16});
    for (int i = 1; i < 4; ++i) p.get().post(p.note(i));
    p.get().resize(2);
    while (p.get().stats().done < 4) yield();  // the first is still busy
    EXPECT_EQ(p.ran().size(), 4U);
    p.release();
    p.get().wait();
  });
}

// It would look out for the next job, see the one that waits, pick it in vain, and so on.
WEIR_RULE(pool_inbox_test, a_worker_rests_while_the_next_job_may_not_start) {
  crew_.run([] {
    const pool p{{.workers = 2, .budget = {.units = 1}}};
    const channel<int> open;
    const channel<int> free;
    p.post({.cost = {.units = 1}}, [=] { (void)open.receive(); });
    p.post([=] { (void)free.receive(); });
    while (p.stats().running < 2) yield();
    p.post({.cost = {.units = 1}}, [=] { (void)open.receive(); });
    free.close();
    while (p.stats().idle < 1) yield();
    open.close();
    p.wait();
  });
}

}  // namespace
