// SPDX-License-Identifier: MIT
// What only C++ has: an element that throws while it is moved, at each move of a send, a receive
// and a select. The channel stays as it was, nobody is left waiting, and no element is lost. And a
// function that does, on its way into a task group.
#include "support.hpp"

#include <array>
#include <map>
#include <new>
#include <stdexcept>

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(throwing_move);

/// Throws at the move that `countdown` says, counted over all of them. A throw leaves the source as
/// it was. `alive` counts the elements that hold their value.
struct brittle {
  static inline std::atomic<int> countdown{-1};
  static inline std::atomic<int> alive{0};
  static void maybe_throw() {
    if (countdown >= 0 && countdown-- == 0) throw std::runtime_error("a move");
  }

  explicit brittle(int n) : value(n) { ++alive; }
  brittle(brittle&& other) : value(other.value) {  // NOLINT: that it throws is the point
    maybe_throw();
    other.value = -1;
  }
  brittle& operator=(brittle&& other) {  // NOLINT: as above
    maybe_throw();
    if (value >= 0) --alive;
    value = std::exchange(other.value, -1);
    return *this;
  }
  ~brittle() {
    if (value >= 0) --alive;
  }
  int value;
};

/// Runs `f`, whose n-th move throws; for n = 0, 1, … until no move is left that could.
template <class F>
void at_each_move(F f) {
  for (int n = 0;; ++n) {
    ASSERT_LT(n, 20) << "it moves without end";
    bool thrown = false;
    f([&](auto step) {
      brittle::countdown = n;
      try {
        step();
      } catch (const std::runtime_error&) {
        thrown = true;
      }
      brittle::countdown = -1;
    });
    EXPECT_EQ(brittle::alive, 0) << "after a throw at move " << n;
    if (!thrown) return;
  }
}

WEIR_RULE(throwing_move, send_has_sent_all_or_nothing) {
  at_each_move([](auto with_a_throw) {
    const channel<brittle> ch{1};
    brittle mine(7);
    with_a_throw([&] { ch.send(std::move(mine)); });
    const auto sent = ch.try_receive();
    EXPECT_NE(sent.has_value(), mine.value == 7) << "it is in one place, and in one only";
  });
}

WEIR_RULE(throwing_move, receive_puts_the_element_back_in_its_place) {
  at_each_move([](auto with_a_throw) {
    const channel<brittle> ch{3};
    for (int i = 0; i < 3; ++i) ch.send(brittle(i));
    int first = 0;
    with_a_throw([&] { first = ch.receive()->value + 1; });
    for (int i = first; i < 3; ++i) EXPECT_EQ(ch.receive()->value, i);
    EXPECT_EQ(ch.size(), 0U);
  });
}

WEIR_RULE(throwing_move, every_form_of_receive_does) {
  for (int form = 0; form < 5; ++form) {
    at_each_move([form](auto with_a_throw) {
      const channel<brittle> ch{2};
      ch.send(brittle(1));
      ch.send(brittle(2));
      std::vector<int> got;
      with_a_throw([&] {
        switch (form) {
          case 0: got.push_back(ch.receive(background())->value); break;
          case 1: got.push_back(ch.try_receive()->value); break;
          case 2:
            select(on_receive(ch, [&](std::optional<brittle> v) { got.push_back(v->value); }));
            break;
          case 3: got.push_back((*ch.begin()).value); break;
          default: {
            std::vector<brittle> out;
            out.reserve(2);
            try {
              ch.receive_many(std::back_inserter(out), 2);
            } catch (...) {
              for (const auto& b : out) got.push_back(b.value);
              throw;
            }
            for (const auto& b : out) got.push_back(b.value);
          }
        }
      });
      while (auto rest = ch.try_receive()) got.push_back(rest->value);
      EXPECT_EQ(got, (std::vector<int>{1, 2})) << "form " << form;
    });
  }
}

/// A vector of such that grows copies what it has, and then the copy may throw.
struct dear_copy {
  static inline std::atomic<bool> refused{false};
  explicit dear_copy(int n) : value(n) {}
  dear_copy(const dear_copy& other) : value(other.value) {
    if (refused) throw std::bad_alloc();
  }
  dear_copy(dear_copy&& other) noexcept(false) : value(std::exchange(other.value, -1)) {}  // NOLINT
  dear_copy& operator=(const dear_copy&) = delete;
  ~dear_copy() = default;
  int value;
};

WEIR_RULE(throwing_move, what_a_vector_that_cannot_grow_was_given_goes_back_whole) {
  crew_.run([] {
    const channel<dear_copy> ch{2};
    for (int i = 1; i <= 2; ++i) ch.send(dear_copy(i));
    std::vector<dear_copy> out;
    dear_copy::refused = true;
    EXPECT_THROW(ch.receive_many(std::back_inserter(out), 2), std::bad_alloc);
    dear_copy::refused = false;
    EXPECT_EQ(out.at(0).value, 1);
    EXPECT_EQ(ch.receive()->value, 2);
  });
}

WEIR_RULE(throwing_move, what_is_put_back_goes_to_who_waits) {
  // The receiver that throws took the only value; another one that waits by then gets it.
  const channel<brittle> ch;
  std::atomic<int> got{0};
  std::atomic<int> failed{0};
  brittle::countdown = 1;  // the first is the sender's, into its box
  for (int i = 0; i < 2; ++i) {
    crew_.spawn([&, ch] {
      try {
        if (const auto v = ch.receive()) got += v->value;
      } catch (const std::runtime_error&) {
        ++failed;
      }
    });
  }
  ch.send(brittle(5));
  crew_.join();  // both return: one by its exception, one with the value
  brittle::countdown = -1;
  EXPECT_EQ(got, 5);
  EXPECT_EQ(failed, 1);
  EXPECT_EQ(brittle::alive, 0);
}

WEIR_RULE(throwing_move, a_select_that_throws_at_any_move_leaves_nothing_behind) {
  at_each_move([](auto with_a_throw) {
    const channel<brittle> in{1};
    const channel<brittle> out{1};
    in.send(brittle(1));
    brittle mine(2);
    std::vector<int> got;
    with_a_throw([&] {
      select(on_receive(in, [&](std::optional<brittle> v) { got.push_back(v->value); }),
             on_send(out, std::move(mine), [] {}));
    });
    if (mine.value == 2) got.push_back(2);
    if (auto v = out.try_receive()) got.push_back(v->value);
    if (auto v = in.try_receive()) got.push_back(v->value);
    std::sort(got.begin(), got.end());
    // Only the way back to its owner, of a value that was not sent, may lose it if that throws.
    EXPECT_TRUE(got == (std::vector<int>{1, 2}) || got == (std::vector<int>{1})) << got.size();
    EXPECT_TRUE(in.try_send(brittle(3))) << "no lock is held, no waiter left";
    EXPECT_EQ(in.receive()->value, 3);
  });
}

WEIR_RULE(throwing_move, others_that_wait_are_not_disturbed) {
  const channel<brittle> ch{1};
  std::atomic<int> sum{0};
  for (int i = 0; i < 2; ++i) {
    crew_.spawn([&, ch] {
      while (auto v = ch.receive()) sum += v->value;
    });
  }
  brittle bad(100);
  brittle::countdown = 0;
  EXPECT_THROW(ch.send(std::move(bad)), std::runtime_error);
  EXPECT_EQ(bad.value, 100);
  for (int i = 1; i <= 5; ++i) ch.send(brittle(i));
  ch.close();
  crew_.join();
  EXPECT_EQ(sum, 15);
}

WEIR_RULE(throwing_move, a_failed_send_gives_the_value_back) {
  const channel<brittle> full{1};
  full.send(brittle(0));
  brittle mine(4);
  EXPECT_FALSE(full.try_send(std::move(mine)));
  EXPECT_EQ(mine.value, 4);  // NOLINT: by contract
  EXPECT_FALSE(full.send(soon().ctx, std::move(mine)));
  EXPECT_EQ(mine.value, 4);
  EXPECT_EQ(select(on_send(full, std::move(mine)), otherwise()), 1U);
  EXPECT_EQ(mine.value, 4);
  full.close();
  EXPECT_THROW(full.send(std::move(mine)), channel_closed);
  EXPECT_EQ(mine.value, 4);
}

/// A function that cannot always be moved.
struct brittle_call {
  brittle held{0};
  void operator()() const {}
};

WEIR_RULE(throwing_move, a_task_group_that_could_not_start_a_function_does_not_wait_for_it) {
  at_each_move([](auto with_a_throw) {
    task_group g{background(), {.limit = 1}};
    bool thrown = true;
    with_a_throw([&] {
      g.go(brittle_call());
      thrown = false;
    });
    if (thrown) {
      EXPECT_THROW(g.wait(), std::runtime_error);
    } else {
      g.wait();
    }
  });
}

WEIR_RULE(throwing_move, cases_of_one_value_send_it_once) {
  const channel<brittle> full{1};
  const channel<brittle> open{1};
  full.send(brittle(0));
  brittle mine(4);
  EXPECT_EQ(select(on_send(full, std::move(mine)), on_send(open, std::move(mine))), 1U);
  EXPECT_EQ(mine.value, -1);  // NOLINT: by contract
  EXPECT_EQ(open.receive()->value, 4);
  mine = brittle(5);
  EXPECT_EQ(select(on_send(full, std::move(mine)), on_send(full, std::move(mine)), otherwise()),
            2U);
  EXPECT_EQ(mine.value, 5);
}

WEIR_RULE(throwing_move, cases_of_one_value_wait_for_whoever_takes_it) {
  const channel<brittle> a;
  const channel<brittle> b;
  crew_.spawn([=] { EXPECT_EQ(b.receive()->value, 4); });
  brittle mine(4);
  EXPECT_EQ(select(on_send(a, std::move(mine)), on_send(b, std::move(mine))), 1U);
  EXPECT_EQ(mine.value, -1);  // NOLINT: by contract
  crew_.join();
}

WEIR_RULE(throwing_move, a_callback_finds_what_was_not_sent_with_its_owner) {
  const channel<brittle> full;
  brittle mine(4);
  int seen = 0;
  select(on_send(full, std::move(mine)), otherwise([&] {
           seen = std::exchange(mine.value, 9);  // NOLINT: by contract
         }));
  EXPECT_EQ(seen, 4);
  EXPECT_EQ(mine.value, 9) << "it keeps what the callback has put there";
}

/// Can be moved, by a copy of the name, and not assigned.
struct labelled {
  const std::string name;
  std::vector<int> data;
};

WEIR_RULE(throwing_move, what_cannot_be_assigned_comes_back_from_a_select) {
  const channel<labelled> ch;
  labelled mine{"mine", {1, 2, 3}};
  select(on_send(ch, std::move(mine)), otherwise());
  EXPECT_EQ(mine.data.size(), 3U);  // NOLINT: by contract
  ch.close();
  try {
    select(on_send(ch, std::move(mine)), after(1h));
    ADD_FAILURE() << "the channel is closed";
  } catch (const channel_closed&) {
    EXPECT_EQ(mine.data.size(), 3U) << "before anybody looks";
  }
}

/// An output iterator that takes nothing.
struct refusing {
  using difference_type = std::ptrdiff_t;
  refusing& operator*() { return *this; }
  refusing& operator++() { return *this; }
  refusing operator++(int) { return *this; }
  refusing& operator=(brittle&& /*item*/) { throw std::runtime_error("refused"); }
};

WEIR_RULE(throwing_move, what_an_output_refuses_goes_back_without_a_move) {
  const channel<brittle> ch{1};
  ch.send(brittle(7));
  brittle::countdown = 1;
  EXPECT_THROW(ch.receive_many(refusing(), 3), std::runtime_error);
  brittle::countdown = -1;
  EXPECT_EQ(ch.try_receive()->value, 7);
}

TEST(throwing_move_death, of_what_cannot_be_assigned_on_its_way_back) {
  static int moves = 0;
  struct stubborn {
    stubborn() = default;
    stubborn(stubborn&& /*other*/) {  // NOLINT: that it throws is the point
      if (++moves == 2) throw std::runtime_error("the way back");
    }
  };
  EXPECT_EXIT(
      {
        std::set_terminate([] { std::_Exit(7); });
        stubborn mine;
        (void)channel<stubborn>().try_send(std::move(mine));
      },
      testing::ExitedWithCode(7), "^$");
}

}  // namespace
