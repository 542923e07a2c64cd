// SPDX-License-Identifier: MIT
// Small jobs whose order is of no account: workers take several at a time, and nobody is to notice.
// Here all jobs are small.
#include <array>
#include <atomic>
#include <functional>
#include <numeric>
#include <thread>
#include <vector>

#include "pool/handful.hpp"
#include "support.hpp"

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(handful_test);

[[maybe_unused]] const bool all_are_small = [] {
  weir::detail::small_job_ns = weir::detail::never;
  return true;
}();

constexpr int many = 100;     // enough for several handfuls, and to leave as many
constexpr int in_a_hand = 5;  // the number of a job that is in one, and neither first nor last

/// A pool whose workers are busy until they are released, with small jobs measured before and many
/// to come; each job says that it began.
class full_pool {
 public:
  explicit full_pool(int workers, start_order order = start_order::any)
      : pool_(
            {.workers = workers, .queue = 256, .order = order, .on_uncaught = [](const auto&) {}}) {
    for (int i = 0; i < many; ++i) pool_.post([] {});
    pool_.wait();
    warm_ = pool_.stats().done;
    for (int i = 0; i < workers; ++i) {
      pool_.post([open = open_, started = started_] {
        started.send(0);
        (void)open.receive();
      });
    }
    for (int i = 0; i < workers; ++i) (void)started_.receive();
  }
  /// Job n, which begins, and goes on with f.
  template <class F>
  void post(int n, F f) {
    pool_.post([this, n, f] {
      begun_[static_cast<std::size_t>(n)] += 1;
      last_ = n;
      begun_in_all_ += 1;
      f();
    });
  }
  /// All of them; each goes on with f(n).
  template <class F>
  void post_all(F f) {
    for (int n = 0; n < many; ++n) post(n, [f, n] { f(n); });
  }
  void release() const { open_.close(); }
  /// To the end. (While somebody is in wait() there are no handfuls.)
  void run_all(int jobs = many) const {
    release();
    until([&] { return begun_in_all_ == jobs; });
    pool_.wait();
  }
  [[nodiscard]] const pool<>& get() const { return pool_; }
  /// Jobs that have ended since the workers were released.
  [[nodiscard]] std::uint64_t done(int workers) const {
    return pool_.stats().done - warm_ - static_cast<std::uint64_t>(workers);
  }
  [[nodiscard]] int last() const { return last_; }
  void expect_once(int from, int to) const {
    for (int n = from; n < to; ++n) EXPECT_EQ(begun_[static_cast<std::size_t>(n)], 1) << n;
  }
  void expect_never(int from, int to) const {
    for (int n = from; n < to; ++n) EXPECT_EQ(begun_[static_cast<std::size_t>(n)], 0) << n;
  }

 private:
  channel<int> open_;
  channel<int> started_;
  std::uint64_t warm_ = 0;
  std::atomic<int> last_{-1};
  std::atomic<int> begun_in_all_{0};
  std::vector<std::atomic<int>> begun_ = std::vector<std::atomic<int>>(many);
  pool<> pool_;
};

WEIR_RULE(handful_test, each_job_runs_once) {
  crew_.run([] {
    full_pool p(3);
    p.post_all([](int) {});
    p.run_all();
    p.expect_once(0, many);
  });
}

WEIR_RULE(handful_test, one_worker_runs_them_in_order) {
  crew_.run([] {
    full_pool p(1);
    std::vector<int> order;
    p.post_all([&order](int n) { order.push_back(n); });
    p.run_all();
    std::vector<int> expected(many);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(order, expected);
  });
}

WEIR_RULE(handful_test, the_order_stays_when_all_are_taken_back) {
  crew_.run([] {
    full_pool p(1);
    std::vector<int> order;
    p.post_all([&](int n) {
      order.push_back(n);
      if (n % 7 == 3) (void)p.get().stats();  // has all of the pool
    });
    p.run_all();
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
    EXPECT_EQ(order.size(), std::size_t{many});
  });
}

WEIR_RULE(handful_test, statistics_are_exact_in_the_middle_of_one) {
  crew_.run([] {
    full_pool p(1);
    p.post_all([&p](int n) {
      if (n % 5 != 2) return;
      const pool_stats s = p.get().stats();
      EXPECT_EQ(p.done(1), static_cast<std::uint64_t>(n));
      EXPECT_EQ(s.running, 1U);
      EXPECT_EQ(s.depth, static_cast<std::uint64_t>(many - 1 - n));
      EXPECT_EQ(s.submitted, s.done + s.running + s.depth);
    });
    p.run_all();
    EXPECT_EQ(p.done(1), std::uint64_t{many});
  });
}

WEIR_RULE(handful_test, statistics_add_up_while_others_are_in_one) {
  crew_.run([&] {
    full_pool p(2);
    p.post_all([](int) {});
    p.release();
    pool_stats s;
    do {
      s = p.get().stats();
      EXPECT_EQ(s.submitted, s.done + s.running + s.depth);
      EXPECT_LE(s.running, 2U);
      yield();
    } while (s.done < s.submitted);
    p.expect_once(0, many);
  });
}

WEIR_RULE(handful_test, stop_returns_what_has_not_begun) {
  crew_.run([] {
    full_pool p(1);
    unrun_jobs rest;
    constexpr int last = 20;
    p.post_all([&](int n) {
      if (n == last) rest = p.get().stop();
    });
    p.run_all(last + 1);
    EXPECT_EQ(rest.size(), std::size_t{many - 1 - last});
    p.expect_once(0, last + 1);
    p.expect_never(last + 1, many);
    rest.run(0);
    p.expect_once(last + 1, last + 2);
  });
}

WEIR_RULE(handful_test, nothing_begins_while_the_pool_is_paused) {
  crew_.run([] {
    full_pool p(1);
    constexpr int last = 20;
    p.post_all([&](int n) {
      if (n == last) p.get().pause();
    });
    p.release();
    // The job that pauses is to have begun first: between any two jobs none is running.
    until([&] { return p.last() >= last && p.get().stats().running == 0; });
    EXPECT_EQ(p.last(), last);
    p.expect_never(last + 1, many);
    p.get().resume();
    p.get().wait();
    p.expect_once(0, many);
  });
}

WEIR_RULE(handful_test, a_job_that_fails_leaves_the_others_to_run) {
  crew_.run([] {
    std::atomic<int> failed{0};
    std::atomic<int> ran{0};
    pool p{{.workers = 2,
            .queue = 256,
            .order = start_order::any,
            .on_uncaught = [&](const std::exception_ptr&) { ++failed; }}};
    for (int round = 0; round < 2; ++round) {
      for (int n = 0; n < many; ++n) {
        p.post([&, n] {
          ++ran;
          if (n % 10 == 4) throw std::runtime_error("as it should");
        });
      }
      p.wait();
    }
    EXPECT_EQ(ran, 2 * many);
    EXPECT_EQ(failed, 2 * many / 10);
    EXPECT_EQ(p.stats().failed, static_cast<std::uint64_t>(failed));
    EXPECT_EQ(p.stats().done, static_cast<std::uint64_t>(ran - failed));
  });
}

WEIR_RULE(handful_test, in_the_order_of_submission_jobs_may_wait_for_the_next_one) {
  crew_.run([] {
    full_pool p(2, start_order::submitted);
    std::vector<channel<int>> said(many / 2);
    for (int n = 0; n < many; ++n) {
      const channel<int> c = said[static_cast<std::size_t>(n / 2)];
      if (n % 2 == 0) {
        p.post(n, [c] { (void)c.receive(); });
      } else {
        p.post(n, [c] { c.close(); });
      }
    }
    p.run_all();
    p.expect_once(0, many);
  });
}

WEIR_RULE(handful_test, who_becomes_idle_takes_what_waits_behind_a_job_that_waits) {
  crew_.run([] {
    full_pool p(2);
    const channel<int> said;
    p.post_all([said](int n) {
      if (n == in_a_hand) (void)said.receive();
      if (n == in_a_hand + 1) said.close();
    });
    p.run_all();
    p.expect_once(0, many);
  });
}

TEST(handful, who_becomes_idle_does_not_wait_until_it_is_let_go) {
  runtime rt{{.clock = clock_kind::virtual_time}};
  rt.run([] {
    full_pool p(2);
    const channel<int> said;
    bool in_time = false;
    p.post_all([&, said](int n) {
      if (n == in_a_hand) {
        in_time = select(on_receive(said), after(1us)) == 0;  // that is after 1 ms or more
      } else if (n == in_a_hand + 1) {
        said.close();
      }
    });
    p.run_all();
    EXPECT_TRUE(in_time);
  });
}

WEIR_RULE(handful_test, what_waits_behind_a_job_that_waits_is_let_go_while_all_others_are_busy) {
  crew_.run([] {
    full_pool p(2);
    const channel<int> said;
    std::atomic<bool> over{false};
    std::function<void()> again = [&] {
      if (!over) (void)p.get().submit(again);  // is in no handful
      yield();                                 // so that time passes where it is not the clock's
    };
    p.post_all([&, said](int n) {
      if (n == in_a_hand) {
        (void)said.receive();
      } else if (n == in_a_hand + 1) {
        over = true;
        said.close();
      } else if (n > 2 * in_a_hand) {
        again();
      }
    });
    p.release();
    until([&] { return over.load(); });
    p.get().wait();
    p.expect_once(0, many);
  });
}

WEIR_RULE(handful_test, a_job_may_wait_for_all_others) {
  crew_.run([] {
    full_pool p(2);
    const wait_group others;
    others.add(many - 1);
    p.post_all([others](int n) { n == in_a_hand ? others.wait() : others.done(); });
    p.run_all();
    p.expect_once(0, many);
  });
}

WEIR_RULE(handful_test, jobs_with_a_result_are_among_them_and_may_be_run_before_their_time) {
  crew_.run([] {
    full_pool p(2);
    std::vector<future<int>> results;
    for (int n = 0; n < many; ++n) {
      p.post(n, [&results, n] {
        if (n != 0) return;
        EXPECT_EQ(results.front().get(), 6);  // it runs that one itself
      });
      if (n % 7 == 6) results.push_back(p.get().submit([n] { return n; }));
    }
    p.run_all();
    for (std::size_t i = 1; i < results.size(); ++i) {
      EXPECT_EQ(results[i].get(), static_cast<int>(7 * i + 6));
    }
    p.expect_once(0, many);
  });
}

WEIR_RULE(handful_test, jobs_of_all_sizes_may_come_back_while_the_next_ones_are_in_a_hand) {
  crew_.run([] {
    full_pool p(2);
    for (int n = 0; n < many; ++n) {
      const std::array<char, 70> large{};
      if (n % 8 == 1 && n % 16 != 1) {
        p.post(n, [large] { EXPECT_EQ(large[0], 0); });
      } else {
        p.post(n, [n] {
          if (n % 16 == 4) throw std::runtime_error("as it should");  // with the rest in its hand
        });
      }
    }
    p.run_all();
    p.expect_once(0, many);
  });
}

WEIR_RULE(handful_test, a_job_in_one_may_submit_and_wait_for_a_job) {
  crew_.run([] {
    full_pool p(2);
    std::atomic<int> sum{0};
    p.post_all([&](int n) {
      if (n % 10 == 5) sum += p.get().submit([] { return 1; }).get();
    });
    p.run_all();
    EXPECT_EQ(sum, many / 10);
    p.expect_once(0, many);
  });
}

WEIR_RULE(handful_test, a_job_in_one_may_wait_for_the_pool) {
  crew_.run([] {
    full_pool p(2);
    p.post_all([&](int n) {
      if (n % 30 == 10) p.get().wait();
    });
    p.run_all();
    p.expect_once(0, many);
  });
}

WEIR_RULE(handful_test, the_crew_may_change_meanwhile) {
  crew_.run([] {
    full_pool p(3);
    p.post_all([&](int n) {
      if (n % 20 == 7) p.get().resize(1 + n / 20 % 3);
    });
    p.run_all();
    p.expect_once(0, many);
  });
}

WEIR_RULE(handful_test, a_pool_may_end_in_one_of_its_own_jobs) {
  crew_.run([] {
    auto p = std::make_shared<pool<>>(
        pool_options{.workers = 2, .queue = 256, .order = start_order::any});
    const auto ran = std::make_shared<std::atomic<int>>(0);
    for (int round = 0; round < 2; ++round) {
      if (round == 1) p->wait();
      for (int n = 0; n < many; ++n) {
        p->post([ran, held = n == 40 && round == 1 ? p : nullptr]() mutable {
          *ran += 1;
          held.reset();
        });
      }
    }
    const std::weak_ptr<pool<>> gone = p;
    p.reset();
    until([&] { return gone.expired() && *ran == 2 * many; });
  });
}

WEIR_RULE(handful_test, try_submit_finds_all_the_room_that_there_is) {
  crew_.run([] {
    full_pool p(1);
    int more = 0;
    p.post_all([&](int n) {
      if (n != in_a_hand + 3) return;
      while (p.get().try_submit([] {})) ++more;
      EXPECT_EQ(p.get().stats().depth, 256U);
    });
    p.run_all();
    EXPECT_EQ(more, 256 - (many - 1 - (in_a_hand + 3)));
  });
}

WEIR_RULE(handful_test, what_is_in_a_hand_has_its_place_in_the_queue) {
  crew_.run([] {
    full_pool p(1);
    constexpr int last = 20;
    constexpr int waiting = many - 1 - last;
    int taken = 0;
    p.post_all([&](int n) {
      if (n != last) return;
      bool here = true;  // as long as this job runs
      for (int i = 0; i < 300; ++i) {
        bool ran_at_once = false;
        p.get().post([&] { ran_at_once = here; });
        if (!ran_at_once) ++taken;  // there was room
      }
      (void)p.get().stop();
      here = false;
    });
    p.run_all(last + 1);
    EXPECT_EQ(taken, 256 - waiting);
  });
}

/// One worker is on the lookout, and the others are idle: it takes the first of what comes, which
/// leads the second, and the second goes to an idle one.
WEIR_RULE(handful_test, what_an_idle_worker_was_given_is_in_no_hand) {
  crew_.run([] {
    full_pool p(3);
    p.release();
    p.get().wait();
    constexpr int rounds = 10;
    for (int n = 0; n < 2 * rounds; n += 2) {
      p.post(n, [] {});
      p.post(n + 1, [] {});
      p.get().submit([] {}).get();  // which nobody leads: so one is left when a handful is taken
    }
    p.get().wait();
    p.expect_once(0, 2 * rounds);
  });
}

/// Many producers, many workers, and somebody who has all of the pool again and again.
TEST(handful, no_job_is_lost_or_run_twice_among_many_threads) {
  const int jobs = turns(40'000);
  constexpr int producers = 3;
  runtime rt({.carriers = 4});
  std::vector<std::atomic<int>> ran(static_cast<std::size_t>(jobs * producers));
  std::atomic<bool> over{false};
  {
    const pool<> p{{.workers = 4, .queue = 512, .order = start_order::any, .runtime = &rt}};
    std::vector<std::thread> crew;
    for (int t = 0; t < producers; ++t) {
      crew.emplace_back([&, t] {
        for (int i = t * jobs; i < (t + 1) * jobs; ++i) {
          p.post([&ran, i] { ran[static_cast<std::size_t>(i)] += 1; });
        }
      });
    }
    std::thread looker([&] {
      while (!over) {
        const pool_stats s = p.stats();
        EXPECT_EQ(s.submitted, s.done + s.running + s.depth);
        for (int i = 0; i < 1000; ++i) std::this_thread::yield();
      }
    });
    for (std::thread& t : crew) t.join();
    over = true;
    looker.join();
  }
  for (const auto& times : ran) ASSERT_EQ(times, 1);
}

}  // namespace
