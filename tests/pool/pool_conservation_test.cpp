// SPDX-License-Identifier: MIT
// No job is lost, doubled or left behind: many producers, full queues, random cancels, for each
// policy. WEIR_LONG=1 in the environment makes it a million jobs a policy (`make long`).
#include "support.hpp"

#include <cstdlib>
#include <random>

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(pool_conservation_test);

/// What became of the jobs, as their owners saw it.
struct ends {
  std::atomic<std::uint64_t> asked{0};
  std::atomic<std::uint64_t> ran{0};
  std::atomic<std::uint64_t> good{0};
  std::atomic<std::uint64_t> failed{0};
  std::atomic<std::uint64_t> cancelled{0};
  std::atomic<std::uint64_t> dropped{0};
  std::atomic<std::uint64_t> rejected{0};

  void note(const std::system_error& e) {
    if (e.code() == errc::cancelled) ++cancelled;
    if (e.code() == errc::dropped) ++dropped;
    if (e.code() == errc::full || e.code() == errc::closed) ++rejected;
  }
};

/// Gets what a job came to; each future has one end.
void settle_one(future<int>& f, ends& all) {
  try {
    (void)f.get();
    ++all.good;
  } catch (const std::system_error& e) {
    all.note(e);
  } catch (const std::runtime_error&) {
    ++all.failed;
  }
}

/// One producer: submits in every way, cancels some, and accounts for all.
void produce(const pool<>& p, ends& all, int jobs, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<future<int>> pending;
  for (int i = 0; i < jobs; ++i) {
    const auto what = random() % 8;
    const auto job = [&all, what] {
      ++all.ran;
      if (what == 0) throw std::runtime_error("as it should");
      return 1;
    };
    ++all.asked;
    try {
      if (what == 1) {
        auto maybe = p.try_submit(job);
        if (!maybe) {
          ++all.rejected;
        } else {
          pending.push_back(std::move(*maybe));
        }
      } else if (what == 2) {
        auto [ctx, cancel] = with_cancel(background());
        auto f = p.submit(ctx, job);
        cancel();
        pending.push_back(std::move(f));
      } else {
        pending.push_back(p.submit(job));
      }
    } catch (const std::system_error& e) {
      all.note(e);
    }
    if (pending.size() > 20) {
      for (auto& f : pending) settle_one(f, all);
      pending.clear();
    }
  }
  for (auto& f : pending) settle_one(f, all);
}

void hold_for(crew& c, when_full policy, host where, bool stopped) {
  const bool many = std::getenv("WEIR_LONG") != nullptr && !under_seeds;
  const int jobs = many ? 250'000 : std::max(turns(5'000), 4);
  ends all;
  pool p{{.workers = 3, .queue = 5, .when_full = policy, .host = where}};
  for (unsigned i = 0; i < 4; ++i) {
    c.spawn([&, i] { produce(p, all, jobs, i); });
  }
  if (stopped) {
    until([&] { return all.asked > 2; });
    (void)p.stop();
  }
  c.join();
  p.wait();
  const pool_stats s = p.stats();
  EXPECT_EQ(s.submitted, all.asked);
  EXPECT_EQ(s.done, all.good);
  EXPECT_EQ(s.failed, all.failed);
  EXPECT_EQ(s.cancelled, all.cancelled);
  EXPECT_EQ(s.dropped, all.dropped);
  EXPECT_EQ(s.rejected, all.rejected);
  EXPECT_EQ(all.ran, all.good + all.failed) << "each that ran has had one end";
  EXPECT_EQ(s.submitted, s.done + s.failed + s.cancelled + s.dropped + s.rejected);
  EXPECT_EQ(s.running + s.depth, 0);
}

WEIR_RULE(pool_conservation_test, block) { hold_for(crew_, when_full::block, host::tasks, false); }
WEIR_RULE(pool_conservation_test, reject) {
  hold_for(crew_, when_full::reject, host::tasks, false);
}
WEIR_RULE(pool_conservation_test, drop_oldest) {
  hold_for(crew_, when_full::drop_oldest, host::tasks, false);
}
WEIR_RULE(pool_conservation_test, drop_newest) {
  hold_for(crew_, when_full::drop_newest, host::tasks, false);
}
WEIR_RULE(pool_conservation_test, run_in_caller) {
  hold_for(crew_, when_full::run_in_caller, host::tasks, false);
}
WEIR_RULE(pool_conservation_test, stopped_in_the_middle) {
  for (const auto policy : {when_full::block, when_full::drop_oldest, when_full::run_in_caller}) {
    hold_for(crew_, policy, host::tasks, true);
  }
}

TEST(pool_conservation_host_test, workers_that_are_threads) {
  for (const auto policy : {when_full::block, when_full::reject, when_full::drop_oldest,
                            when_full::drop_newest, when_full::run_in_caller}) {
    crew c({setting::mixed, 2});
    hold_for(c, policy, host::threads, false);
  }
}

}  // namespace
