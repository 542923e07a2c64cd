// SPDX-License-Identifier: MIT
// Rules of Go for WaitGroup (79 to 86 of docs/semantics.md) beyond those in sync_test.cpp. Where Go
// calls a use a mistake that it finds with luck (82, 83), Weir's group is under a lock, and the use
// is simply in order: the tests show what happens.
#include "support.hpp"

#include <limits>
#include <type_traits>

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(wait_group_rules_test);

WEIR_RULE(wait_group_rules_test, r79_a_new_group_does_not_block) {
  const wait_group wg;
  for (int i = 0; i < 4; ++i) {
    crew_.spawn([wg] {
      wg.wait();
      EXPECT_TRUE(wg.wait(background()));
      EXPECT_EQ(wg.count(), 0);
    });
  }
  crew_.join();
  wg.add(0);
  wg.wait();
}

WEIR_RULE(wait_group_rules_test, r80_wait_returns_after_the_last_done) {
  for (int i = 0; i < turns(1000); ++i) {  // Go's TestWaitGroupRace
    const wait_group wg;
    std::atomic<int> n{0};
    for (int k = 0; k < 2; ++k) {
      wg.add();
      crew_.spawn([&, wg] {
        ++n;
        wg.done();
      });
    }
    wg.wait();
    EXPECT_EQ(n, 2);
    crew_.join();
  }
}

WEIR_RULE(wait_group_rules_test, r80_waiters_that_gave_up_do_not_stop_the_others) {
  for (int i = 0; i < turns(200); ++i) {
    const wait_group wg;
    wg.add();
    auto [ctx, cancel] = with_cancel(background());
    std::atomic<int> released{0};
    std::atomic<int> gave_up{0};
    for (int k = 0; k < 4; ++k) {
      crew_.spawn([&, wg, ctx = ctx, k] {
        if (k % 2 == 0) {
          wg.wait();
          ++released;
        } else if (wg.wait(ctx)) {
          ++released;
        } else {
          EXPECT_EQ(ctx.error(), errc::cancelled);
          ++gave_up;
        }
      });
    }
    crew_.spawn([cancel = cancel] { cancel(); });
    wg.done();
    crew_.join();
    EXPECT_EQ(released + gave_up, 4);
    EXPECT_FALSE(wg.wait(ctx)) << "a context that is done is seen first";
  }
}

WEIR_RULE(wait_group_rules_test, r81_below_zero_throws_and_the_group_goes_on) {
  crew_.run([] {
    const wait_group wg;
    try {
      wg.done();
      FAIL() << "nothing was thrown";
    } catch (const std::logic_error& e) {
      EXPECT_NE(std::string(e.what()).find("negative wait_group counter"), std::string::npos);
    }
    wg.add(2);
    EXPECT_THROW(wg.add(-3), std::logic_error);
    EXPECT_THROW(wg.add(std::numeric_limits<std::int64_t>::max()), std::logic_error);
    EXPECT_EQ(wg.count(), 2);
    wg.add(-2);
    EXPECT_THROW(wg.done(), std::logic_error);
    wg.wait();
  });
}

WEIR_RULE(wait_group_rules_test, r81_exactly_the_surplus_of_concurrent_calls_throws) {
  const wait_group wg;
  wg.add(4);
  std::atomic<int> thrown{0};
  for (int i = 0; i < 6; ++i) {
    crew_.spawn([&, wg] {
      try {
        wg.done();
      } catch (const std::logic_error&) {
        ++thrown;
      }
    });
  }
  wg.wait();
  crew_.join();
  EXPECT_EQ(thrown, 2);
  EXPECT_EQ(wg.count(), 0);
}

WEIR_RULE(wait_group_rules_test, r82_add_from_zero_beside_a_wait_is_before_or_after_it) {
  for (int i = 0; i < turns(500); ++i) {
    const wait_group wg;
    std::atomic<bool> done{false};
    for (int k = 0; k < 2; ++k) {
      crew_.spawn([wg] { wg.wait(); });  // Go may panic here
    }
    crew_.spawn([&, wg] {
      wg.add();
      done = true;
      wg.done();
    });
    crew_.join();
    EXPECT_TRUE(done);
    EXPECT_EQ(wg.count(), 0);
  }
}

WEIR_RULE(wait_group_rules_test, r83_a_waiter_is_released_even_if_the_group_is_used_again_at_once) {
  const wait_group wg;
  for (int i = 0; i < turns(500); ++i) {
    wg.add();
    std::atomic<int> released{0};
    wait_group ready;
    ready.add(2);
    for (int k = 0; k < 2; ++k) {
      crew_.spawn([&, wg, ready] {
        ready.done();
        wg.wait();  // for this turn or, if it comes late, for the next
        ++released;
      });
    }
    ready.wait();
    wg.done();
    wg.add();  // Go may panic here: the earlier waits need not have returned
    EXPECT_EQ(wg.count(), 1);
    wg.done();
    crew_.join();
    EXPECT_EQ(released, 2);
  }
}

TEST(wait_group_runtime_test, r83_a_waiter_of_the_last_turn_does_not_wait_for_the_next) {
  on_virtual_time([] {
    const wait_group wg;
    wg.add();
    std::atomic<bool> released{false};
    go([&, wg] {
      wg.wait();
      released = true;
    });
    yield();  // it waits now
    wg.done();
    wg.add();
    yield();
    EXPECT_TRUE(released);
    wg.done();
  });
}

WEIR_RULE(wait_group_rules_test, r84_what_is_waited_for_may_add_more) {
  const wait_group wg;
  std::atomic<int> n{0};
  for (int i = 0; i < 3; ++i) {
    wg.add(2);
    crew_.spawn([&, wg] {
      wg.go([&, wg] {
        wg.add();
        go([&, wg] {
          ++n;
          wg.done();
        });
        ++n;
      });
      wg.add(-1);
      ++n;
      wg.done();
    });
  }
  wg.wait();
  EXPECT_EQ(n, 9);
  wg.add(5);
  wg.add(-2);
  EXPECT_EQ(wg.count(), 3);
  wg.add(-3);
  wg.wait();
  crew_.join();
}

// Go's vet forbids copies; here a copy is another handle on the same group.
static_assert(std::is_copy_constructible_v<wait_group> && std::is_copy_assignable_v<wait_group>);

WEIR_RULE(wait_group_rules_test, r85_a_copy_is_the_same_group_and_may_outlive_the_first) {
  for (int i = 0; i < turns(200); ++i) {
    auto first = std::make_unique<wait_group>();
    first->add(2);
    for (int k = 0; k < 2; ++k) {
      crew_.spawn([wg = *first] { wg.done(); });
    }
    const wait_group second = *first;
    EXPECT_LE(second.count(), 2);
    first.reset();
    second.wait();
    EXPECT_EQ(second.count(), 0);
    crew_.join();
  }
}

WEIR_RULE(wait_group_rules_test, r86_go_counts_at_once_and_nests) {
  crew_.run([] {
    const wait_group wg;
    const channel<int> hold;
    std::atomic<int> n{0};
    for (int i = 0; i < 3; ++i) {
      wg.go([&, wg, hold] {
        (void)hold.receive();
        wg.go([&] { ++n; });
        ++n;
      });
    }
    EXPECT_EQ(wg.count(), 3) << "counted by the caller";
    EXPECT_THROW(wg.go(std::function<void()>()), std::invalid_argument);
    EXPECT_EQ(wg.count(), 3);
    hold.close();
    wg.wait();
    EXPECT_EQ(n, 6);
  });
}

TEST(wait_group_death_test, r86_wait_does_not_return_before_the_crash_of_what_it_waits_for) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto crash = [] {
    const wait_group wg;
    wg.go([] { throw std::runtime_error("out of cheese"); });
    wg.wait();
    std::_Exit(0);  // main got past it
  };
  EXPECT_DEATH(crash(), "out of cheese");
}

}  // namespace
