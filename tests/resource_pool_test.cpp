// SPDX-License-Identifier: MIT
// resource_pool: never more than n, in order, and every place comes back: from those who leave,
// from factories that throw, from what is broken or too old, and after the pool is gone.
#include "support.hpp"

#include <random>
#include <stdexcept>
#include <system_error>
#include <type_traits>

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(resource_pool_test);

/// What is open, and the most that ever was.
struct census {
  std::atomic<int> open{0};
  std::atomic<int> most{0};
  std::atomic<int> made{0};
};

/// Something dear: move-only, counted, and used by one at a time.
class thing {
 public:
  explicit thing(census& c) : c_(&c), number(c.made++) {
    const int now = ++c.open;
    for (int m = c.most; now > m && !c.most.compare_exchange_weak(m, now);) {
    }
  }
  thing(thing&& other) noexcept : c_(std::exchange(other.c_, nullptr)), number(other.number) {}
  thing& operator=(thing&&) = delete;
  ~thing() {
    if (c_ != nullptr) --c_->open;
  }
  void use() {
    ++uses;  // not atomic: the pool orders the holders
    yield();
  }

 private:
  census* c_;

 public:
  int number;
  int uses = 0;
  bool good = true;
};

using pool_of_things = resource_pool<thing>;

pool_of_things make_pool(census& c, int n, resource_pool_options<thing> o = {}) {
  return {n, [&c] { return thing(c); }, std::move(o)};
}

WEIR_RULE(resource_pool_test, never_more_than_n_and_one_holder_at_a_time) {
  census c;
  {
    const auto pool = make_pool(c, 3);
    std::atomic<int> used{0};
    for (int i = 0; i < 8; ++i) {
      crew_.spawn([&] {
        for (int k = 0; k < turns(300); ++k) {
          auto lent = pool.acquire();
          lent->use();
          ++used;
        }
      });
    }
    crew_.join();
    int uses = 0;
    std::vector<pool_of_things::lease> all;
    while (auto lent = pool.try_acquire()) {
      uses += (*lent)->uses;
      all.push_back(std::move(*lent));
    }
    EXPECT_EQ(all.size(), 3U);
    EXPECT_EQ(uses, used) << "an update was lost";
    EXPECT_EQ(pool.stats().made, 3);
  }
  EXPECT_LE(c.most, 3);
  EXPECT_EQ(c.open, 0);
}

WEIR_RULE(resource_pool_test, no_place_is_lost_to_those_who_leave_break_or_throw) {
  census c;
  std::atomic<int> thrown{0};
  std::atomic<int> calls{0};
  const pool_of_things pool{2, [&] {
                              if (++calls % 4 == 3) throw std::runtime_error("cannot make it");
                              yield();
                              return thing(c);
                            }};
  std::atomic<int> broken{0};
  for (int i = 0; i < 6; ++i) {
    crew_.spawn([&, pool, i] {
      std::mt19937 random(static_cast<unsigned>(i));
      for (int k = 0; k < turns(200); ++k) {
        try {
          auto [ctx, cancel] =
              with_timeout(background(), std::chrono::microseconds(i % 2 == 0 ? 1 : random() % 99));
          auto lent = i < 3 ? pool.acquire(ctx) : std::optional(pool.acquire());
          if (!lent) continue;
          (*lent)->use();
          if (random() % 3 != 0) continue;
          lent->discard();
          ++broken;
        } catch (const std::runtime_error&) {
          ++thrown;
        }
      }
    });
  }
  crew_.join();
  EXPECT_LE(c.most, 2);
  EXPECT_EQ(c.open, static_cast<int>(pool.stats().idle)) << "all are back";
  EXPECT_EQ(pool.stats().lent, 0);
  EXPECT_EQ(pool.stats().discarded, broken);
  EXPECT_EQ(pool.stats().made, calls - thrown);
}

WEIR_RULE(resource_pool_test, a_context_that_is_done_wins) {
  crew_.run([] {
    census c;
    const auto pool = make_pool(c, 1);
    auto [over, end] = with_cancel(background());
    end();
    EXPECT_FALSE(pool.acquire(over).has_value());
    EXPECT_EQ(pool.stats().made, 0);
    const auto held = pool.acquire();
    auto [ctx, cancel] = soon();
    EXPECT_FALSE(pool.acquire(ctx).has_value());
    EXPECT_FALSE(pool.try_acquire().has_value());
    EXPECT_EQ(pool.stats().waits, 1);
  });
}

WEIR_RULE(resource_pool_test, close_turns_waiters_away_and_what_is_lent_goes_when_it_comes_back) {
  census c;
  const auto pool = make_pool(c, 2);
  std::optional one = pool.acquire();
  std::optional two = pool.acquire();
  two->give_back();
  EXPECT_FALSE(*two);
  two = pool.acquire();
  for (int i = 0; i < 4; ++i) {
    crew_.spawn([pool, i] {
      if (i % 2 == 0) {
        EXPECT_FALSE(pool.acquire(background()).has_value());
      } else {
        EXPECT_THROW((void)pool.acquire(), std::system_error);
      }
    });
  }
  pool.close();
  pool.close();
  crew_.join();
  EXPECT_FALSE(pool.try_acquire().has_value());
  one.reset();
  two.reset();
  EXPECT_EQ(c.open, 0);
  EXPECT_EQ(pool.stats().open, 0);
}

// ---- who gets which, and when -------------------------------------------------------------------

TEST(resource_pool_order_test, waiters_are_served_in_order_and_nobody_overtakes) {
  on_virtual_time([] {
    census c;
    const auto pool = make_pool(c, 1);
    std::optional held = pool.acquire();
    std::vector<int> served;
    auto [ctx, cancel] = with_cancel(background());
    wait_group wg;
    for (int i = 0; i < 6; ++i) {
      wg.go([&, i, ctx = ctx] {
        if (i == 2) {
          EXPECT_FALSE(pool.acquire(ctx).has_value());
        } else {
          const auto mine = pool.acquire();
          served.push_back(i);
          if (i == 0) {
            EXPECT_FALSE(pool.try_acquire().has_value());
          }
        }
      });
      yield();
    }
    cancel();
    held.reset();
    EXPECT_FALSE(pool.try_acquire().has_value()) << "it is the first waiter's already";
    wg.wait();
    EXPECT_EQ(served, (std::vector<int>{0, 1, 3, 4, 5}));
    EXPECT_EQ(c.made, 1);
  });
}

TEST(resource_pool_order_test,
     the_last_given_back_is_lent_next_and_none_is_made_while_one_is_idle) {
  census c;
  const auto pool = make_pool(c, 3);
  {
    std::optional a = pool.acquire();
    std::optional b = pool.acquire();
    a.reset();
    EXPECT_EQ(b->operator->()->number, 1);
  }
  const auto again = pool.acquire();
  EXPECT_EQ(again->number, 1);
  EXPECT_EQ(c.made, 2);
  const auto s = pool.stats();
  EXPECT_EQ(s.open, 2);
  EXPECT_EQ(s.lent, 1);
  EXPECT_EQ(s.idle, 1);
}

TEST(resource_pool_order_test, a_factory_that_throws_gives_its_place_to_the_next) {
  on_virtual_time([] {
    census c;
    int calls = 0;
    const pool_of_things pool{1, [&] {
                                yield();  // the other one waits meanwhile
                                if (++calls == 1) throw std::runtime_error("no");
                                return thing(c);
                              }};
    wait_group wg;
    bool threw = false;
    bool got = false;
    wg.go([&] {
      try {
        (void)pool.acquire();
      } catch (const std::runtime_error& e) {
        threw = std::string(e.what()) == "no";
      }
    });
    wg.go([&] { got = static_cast<bool>(pool.acquire()); });
    wg.wait();
    EXPECT_TRUE(threw);
    EXPECT_TRUE(got);
    EXPECT_EQ(pool.stats().open, 1);
  });
}

TEST(resource_pool_order_test, the_factory_gets_the_context_of_who_asks) {
  const resource_pool<int> pool{
      1, [](const context& ctx) { return *ctx.value<int>(std::string("n")); }};
  EXPECT_EQ(**pool.acquire(with_value(background(), std::string("n"), 42)), 42);
}

// ---- health and age -----------------------------------------------------------------------------

TEST(resource_pool_age_test, what_was_idle_is_checked_before_it_is_lent) {
  on_virtual_time([] {
    census c;
    int checks = 0;
    const auto pool = make_pool(c, 1,
                                {.check =
                                     [&](thing& t) {
                                       if (++checks == 3) throw std::runtime_error("lost");
                                       return t.good;
                                     },
                                 .check_after = 10s});
    pool.acquire()->good = false;
    weir::sleep_for(9s);
    EXPECT_EQ(pool.acquire()->number, 0) << "not idle for long enough";
    weir::sleep_for(10s);
    EXPECT_EQ(pool.acquire()->number, 1);
    weir::sleep_for(10s);
    EXPECT_EQ(pool.acquire()->number, 1) << "it is good";
    weir::sleep_for(10s);
    EXPECT_EQ(pool.acquire()->number, 2) << "a check that throws is no";
    EXPECT_EQ(checks, 3);
    EXPECT_EQ(pool.stats().discarded, 2);
    EXPECT_EQ(c.open, 1);
  });
}

TEST(resource_pool_age_test, the_idle_and_the_old_go) {
  on_virtual_time([] {
    census c;
    const auto pool = make_pool(c, 3, {.max_idle = 10s, .max_lifetime = 25s});
    {
      const auto a = pool.acquire();
      const auto b = pool.acquire();
      const auto d = pool.acquire();
    }
    for (int i = 0; i < 4; ++i) {  // only the newest is used
      weir::sleep_for(6s);
      EXPECT_EQ(pool.acquire()->number, 0) << i;
    }
    EXPECT_EQ(c.open, 1) << "the others were idle for too long";
    {
      const auto old = pool.acquire();
      weir::sleep_for(6s);
      EXPECT_EQ(c.open, 1) << "not while it is lent";
    }
    EXPECT_EQ(c.open, 0) << "30 s old";
    EXPECT_EQ(pool.acquire()->number, 3);
    weir::sleep_for(11s);
    pool.trim();
    EXPECT_EQ(c.open, 0);
    EXPECT_EQ(pool.stats().discarded, 4);
  });
}

// ---- lifetimes ----------------------------------------------------------------------------------

TEST(resource_pool_life_test, leases_outlive_the_pool) {
  census c;
  std::optional<pool_of_things> pool = make_pool(c, 2);
  std::optional lent = pool->acquire();
  auto other = pool->acquire();
  pool.reset();
  (*lent)->use();
  EXPECT_EQ(c.open, 2);
  lent.reset();
  other.discard();
  EXPECT_EQ(c.open, 0);
}

TEST(resource_pool_life_test, what_the_factory_holds_goes_after_the_resources) {
  int open_at_its_end = -1;
  {
    struct library {
      census open;
      int& left;
      explicit library(int& l) : left(l) {}
      ~library() { left = open.open; }
    };
    pool_of_things pool{
        1, [l = std::make_shared<library>(open_at_its_end)] { return thing(l->open); }};
    (void)pool.acquire();
    EXPECT_EQ(pool.stats().idle, 1);
  }
  EXPECT_EQ(open_at_its_end, 0);
}

TEST(resource_pool_life_test, a_lease_moves) {
  static_assert(!std::is_copy_constructible_v<pool_of_things::lease>);
  census c;
  const auto pool = make_pool(c, 2);
  auto a = pool.acquire();
  auto b = std::move(a);
  EXPECT_FALSE(a);  // NOLINT: what a moved-from one is
  EXPECT_TRUE(b);
  a.discard();
  a = pool.acquire();
  a = std::move(b);
  EXPECT_EQ((*a).number, 0);
  EXPECT_EQ(pool.stats().lent, 1);
  EXPECT_EQ(pool.stats().idle, 1);
}

TEST(resource_pool_life_test, what_cannot_move_can_be_pooled) {
  struct fixed {
    explicit fixed(int n) : value(n) {}
    fixed(fixed&&) = delete;
    int value;
  };
  const resource_pool<fixed> pool{1, [] { return fixed(7); }};
  EXPECT_EQ(pool.acquire()->value, 7);
}

TEST(resource_pool_life_test, a_bad_argument_is_named) {
  census c;
  EXPECT_THROW(make_pool(c, 0), std::invalid_argument);
  EXPECT_THROW(make_pool(c, -1), std::invalid_argument);
  EXPECT_EQ(*(resource_pool<int>{std::size_t{1}, [] { return 7; }}.acquire()), 7);
  EXPECT_THROW(make_pool(c, 1, {.max_idle = -1s}), std::invalid_argument);
  EXPECT_THROW((resource_pool<int>{1, std::function<int()>()}), std::invalid_argument);
}

}  // namespace
