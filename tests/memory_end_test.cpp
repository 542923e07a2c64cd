// SPDX-License-Identifier: MIT
// No memory: what waits is woken all the same, what ends ends, and who asks for more is told.
#include "support.hpp"

#include <memory>
#include <sstream>

#include "refusal.hpp"
#include "weir/pool_coroutine.hpp"
#include "weir/testing.hpp"

namespace {

using namespace weir_test;
using namespace weir;

using memory_end_test = refusing;

/// f(), of which the n-th allocation on this thread fails; for n = 0, 1, … until none does. What
/// it throws then has to be std::bad_alloc.
template <class F>
void at_each_allocation(F f) {
  bool refused = true;
  for (int n = 0; refused; ++n) {
    ASSERT_LT(n, 1000);
    allocations_left = n;
    try {
      f();
    } catch (const std::bad_alloc&) {  // NOLINT: that is what it is for
    }
    refused = allocations_left < 0;
    allocations_left = -1;
  }
}

/// As long as it lives, this thread gets no memory.
class famine {
 public:
  famine() { no_memory = true; }
  ~famine() { no_memory = false; }
  famine(const famine&) = delete;
  famine& operator=(const famine&) = delete;
};

// ---- times --------------------------------------------------------------------------------------

TEST_F(memory_end_test, a_sleep_ends_without_memory) {
  on_virtual_time([] {
    weir::sleep_for(1ms);  // there is room for its entry from now on
    const famine now;
    weir::sleep_for(1ms);
  });
}

TEST_F(memory_end_test, any_number_of_deadlines_pass_without_memory) {
  on_virtual_time([] {
    std::vector<cancellable_context> all;
    for (int i = 0; i < 100; ++i) all.push_back(with_timeout(background(), 1ms));
    const wait_group woken;
    woken.go([&] { (void)all.back().ctx.done().receive(); });
    weir::yield();
    const famine now;
    woken.wait();
    for (const auto& [ctx, cancel] : all) EXPECT_EQ(ctx.error(), errc::deadline_exceeded);
  });
}

TEST_F(memory_end_test, a_runtime_that_ends_cancels_all_deadlines_without_memory) {
  std::vector<cancellable_context> all;
  {
    runtime rt{{.carriers = 1}};
    rt.run([&] {
      for (int i = 0; i < 100; ++i) all.push_back(with_timeout(background(), 1h));
    });
    const famine now;
    EXPECT_TRUE(rt.shutdown());
  }
  for (const auto& [ctx, cancel] : all) EXPECT_EQ(ctx.error(), errc::cancelled);
}

TEST_F(memory_end_test, a_timer_that_gets_no_memory_says_so) {
  runtime rt{{.carriers = 1}};
  rt.run([] { at_each_allocation([] { const timer t(1h); }); });
}

// ---- limits -------------------------------------------------------------------------------------

/// Until n tasks and threads wait for a limit, or have been, of whom `over` are.
void until_they_wait(int n, const std::atomic<int>& over) {
  until([&] {
    std::ostringstream all;
    dump_tasks(all);
    const std::string text = all.str();
    int found = 0;
    for (std::size_t at = 0; (at = text.find("acquire from", at)) != text.npos; ++at) ++found;
    return found + over >= n;
  });
}

/// A thread and a task wait for a limit whose timer is the task's runtime's, and that ends.
template <class Limit, class Refuse, class Allow>
void end_the_timers_runtime(const Limit& limit, Refuse refuse, Allow allow) {
  std::atomic<int> over{0};
  const auto wait = [&] {
    limit.acquire();
    ++over;
  };
  limit.acquire();
  auto rt = std::make_unique<runtime>(runtime_options{.carriers = 1});
  rt->go(wait);
  until_they_wait(1, over);
  std::thread other(wait);
  until_they_wait(2, over);
  refuse();
  rt.reset();
  allow();
  other.join();
}

TEST_F(memory_end_test, who_waits_for_a_limit_is_served_though_there_was_no_thread_for_its_timer) {
  const auto refuse = [] { threads_left = 0; };
  const auto allow = [] { threads_left = any_number; };
  end_the_timers_runtime(token_bucket(20.0, 1), refuse, allow);
  end_the_timers_runtime(sliding_window(1, 50ms), refuse, allow);
}

TEST_F(memory_end_test, who_waits_for_a_limit_is_served_though_there_was_no_memory_for_its_timer) {
  const auto refuse = [] { no_memory = true; };
  const auto allow = [] { no_memory = false; };
  end_the_timers_runtime(token_bucket(20.0, 1), refuse, allow);
  end_the_timers_runtime(sliding_window(1, 50ms), refuse, allow);
}

TEST_F(memory_end_test, who_leaves_a_limit_without_memory_forgets_nobody) {
  constexpr int many = 100'000;
  const token_bucket b(20.0, many);
  b.acquire(many);
  std::atomic<int> over{0};
  const auto wait = [&] {
    b.acquire();
    ++over;
  };
  std::thread first(wait);  // its timer is the default runtime's
  until_they_wait(1, over);
  runtime rt{{.carriers = 1}};
  auto [ctx, cancel] = with_cancel(background());
  rt.go([&, ctx = ctx] {
    const famine now;
    EXPECT_FALSE(b.acquire(ctx, many));  // it would take more than an hour
  });
  until_they_wait(2, over);
  std::thread last(wait);
  first.join();
  until_they_wait(3, over);
  cancel();
  last.join();
}

// ---- starts -------------------------------------------------------------------------------------

TEST_F(memory_end_test, a_carrier_that_got_no_memory_is_tried_again_at_once) {
  bool refused = true;
  for (int n = 0; refused; ++n) {
    ASSERT_LT(n, 50);
    runtime rt{{.carriers = 1}};
    std::atomic<int> ran{0};
    refused = false;
    allocations_left = n;
    try {
      rt.go([&] { ++ran; });
    } catch (const std::bad_alloc&) {
      refused = true;
    }
    allocations_left = -1;
    if (refused) rt.go([&] { ++ran; });
    EXPECT_TRUE(rt.shutdown());
    EXPECT_EQ(ran, 1);
  }
}

TEST_F(memory_end_test, an_exploration_goes_on_or_says_that_it_cannot) {
  at_each_allocation([] {
    try {
      weir::explore(explore_options{.seeds = 3, .quiet = true}, [] {
        const mutex m;
        const wait_group all;
        for (int i = 0; i < 2; ++i) {
          all.go([&] {
            const std::lock_guard lock(m);
            weir::yield();
          });
        }
        all.wait();
      });
    } catch (const schedule_failure& e) {  // the body itself got none
      EXPECT_NE(std::string(e.what()).find("bad_alloc"), std::string::npos) << e.what();
    }
  });
}

// ---- what is moved ------------------------------------------------------------------------------

detached await_without_memory(future<int>& f, bool& refused) {
  no_memory = true;
  try {
    (void)co_await std::move(f);
  } catch (const std::bad_alloc&) {
    refused = true;
  }
  no_memory = false;
}

TEST_F(memory_end_test, a_future_that_cannot_be_awaited_is_as_it_was) {
  const pool p{{.workers = 1}};
  future<int> f = p.submit([] { return 7; });
  bool refused = false;
  await_without_memory(f, refused);
  ASSERT_TRUE(refused);
  EXPECT_EQ(f.get(), 7);
}

TEST_F(memory_end_test, a_case_that_cannot_be_made_leaves_the_value_to_its_owner) {
  const channel<std::unique_ptr<int>> ch{1};
  auto mine = std::make_unique<int>(5);
  no_memory = true;
  EXPECT_THROW(select_case(on_send(ch, std::move(mine))), std::bad_alloc);
  no_memory = false;
  EXPECT_NE(mine, nullptr);
}

TEST_F(memory_end_test, a_channel_names_a_capacity_that_memory_can_not_hold) {
  const auto make = [](int capacity) {
    allocations_left = 1;  // its buffer's fails
    try {
      const channel<int> ch{capacity};
    } catch (...) {
      allocations_left = -1;
      throw;
    }
  };
  EXPECT_THROW(make(1), std::bad_alloc);
  EXPECT_THROW(make(1 << 30), std::length_error);
}

}  // namespace
