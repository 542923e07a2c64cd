// SPDX-License-Identifier: MIT
// Rules of Go for select; the numbers are those of docs/semantics.md.
#include "support.hpp"

#include <array>
#include <cmath>
#include <memory>

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(select_test);

WEIR_RULE(select_test, r33_each_ready_case_is_as_likely_as_any_other) {
  crew_.run([] {
    channel<int> a{1}, b{1}, never1, never2;
    a.close();
    b.close();
    const int draws = under_seeds ? 1000 : 10'000;  // a thousand schedules draw a million, too
    double first = 0;
    for (int i = 0; i < draws; ++i) {
      const std::size_t chosen =
          select(on_receive(a), on_receive(b), on_receive(never1), on_receive(never2));
      ASSERT_LT(chosen, 2U);
      if (chosen == 0) ++first;
    }
    // Go's own bound: 4.89 standard deviations, one failure in a million.
    EXPECT_LE(std::abs(first / draws - 0.5), 4.89 / (2 * std::sqrt(draws)));
  });
}

WEIR_RULE(select_test, r34_otherwise_runs_only_if_nothing_can_proceed) {
  crew_.run([] {
    channel<int> ch{1};
    EXPECT_EQ(select(otherwise(), on_receive(ch)), 0U);
    ch.send(1);
    EXPECT_EQ(select(otherwise(), on_receive(ch)), 1U);
    EXPECT_EQ(select(on_send(ch, 2), otherwise()), 0U);
    EXPECT_EQ(select(on_send(ch, 3), otherwise()), 1U);
  });
}

WEIR_RULE(select_test, r35_r36_nil_channels_are_never_chosen) {
  crew_.run([] {
    const receiver<int> nil;
    EXPECT_EQ(
        select(on_receive(nil), on_send(sender<int>{}, 1), on_done(background()), otherwise()), 3U);
    EXPECT_EQ(select(on_receive(nil), after(5ms)), 1U);
  });
}

WEIR_RULE(select_test, r37_otherwise_is_never_chosen_while_one_of_two_is_always_ready) {
  for (int turn = 0; turn < turns(3000); ++turn) {
    channel<int> a{1}, b{1}, over{1};
    a.send(1);
    std::atomic<bool> missed{false};
    crew_.spawn([&, a, b, over] {
      if (select(on_receive(a), on_receive(b), otherwise()) == 2) missed = true;
      over.send(1);
    });
    b.close();
    (void)select(on_receive(a), otherwise());
    (void)over.receive();
    ASSERT_FALSE(missed);
  }
}

WEIR_RULE(select_test, r37_a_context_counts_in_the_same_instant_as_channels) {
  for (int turn = 0; turn < turns(2000); ++turn) {
    channel<int> a{1}, over{1};
    a.send(1);
    auto [ctx, cancel] = with_cancel(background());
    std::atomic<bool> missed{false};
    crew_.spawn([&, ctx = ctx, a, over] {
      if (select(on_done(ctx), on_receive(a), otherwise()) == 2) missed = true;
      over.send(1);
    });
    cancel();
    (void)select(on_receive(a), otherwise());
    (void)over.receive();
    ASSERT_FALSE(missed);
  }
}

WEIR_RULE(select_test, r38_losing_waiters_are_taken_out_of_the_other_queues) {
  // Go's issue 2075: a stale entry of the first select would swallow one of the two sends.
  channel<int> c1, c2, got{4};
  crew_.spawn([=] {
    (void)select(on_receive(c1), on_receive(c2));
    got.send(0);
  });
  c2.send(1);
  (void)got.receive();
  crew_.spawn([=] { got.send(c1.receive().value_or(-1)); });
  crew_.spawn([=] { got.send(c1.receive().value_or(-1)); });
  c1.send(1);
  c1.send(1);
  EXPECT_EQ(got.receive(), 1);
  EXPECT_EQ(got.receive(), 1);
  crew_.join();
}

WEIR_RULE(select_test, r39_a_waiting_select_fires_once) {
  // Go's doubleselect: one sender over four channels, four forwarders, no value twice.
  std::array<channel<int>, 4> ways;
  channel<int> merged;
  const int n = turns(4000);
  crew_.spawn([=] {
    for (int i = 0; i < n; ++i) {
      select(on_send(ways[0], i), on_send(ways[1], i), on_send(ways[2], i), on_send(ways[3], i));
    }
    for (const auto& w : ways) w.close();
  });
  wait_group forwarders;
  for (const auto& w : ways) {
    forwarders.add();
    crew_.spawn([=] {
      for (int v : w) merged.send(v);
      forwarders.done();
    });
  }
  crew_.spawn([=] {
    forwarders.wait();
    merged.close();
  });
  std::vector<int> seen(static_cast<std::size_t>(n));
  for (int v : merged) ++seen[static_cast<std::size_t>(v)];
  for (int count : seen) ASSERT_EQ(count, 1);
  crew_.join();
}

WEIR_RULE(select_test, r40_a_strand_never_meets_itself) {
  for (const int capacity : {0, 10}) {
    channel<int> ch{capacity};
    for (int self = 0; self < 2; ++self) {
      crew_.spawn([=] {
        for (int i = 0; i < turns(500); ++i) {
          bool sent = false;
          bool received = false;
          while (!sent || !received) {
            select(on_send(sent ? sender<int>{} : sender<int>(ch), self, [&] { sent = true; }),
                   on_receive(received ? receiver<int>{} : receiver<int>(ch),
                              [&](std::optional<int> v) {
                                received = true;
                                if (capacity == 0) {
                                  EXPECT_NE(v, self);
                                }
                              }));
          }
        }
      });
    }
    crew_.join();
  }
}

WEIR_RULE(select_test, r41_every_form_of_receive_meets_every_form_of_send) {
  channel<int> ch, nobody;
  const std::vector<std::function<void()>> receives = {
      [=] { EXPECT_EQ(ch.receive(), 5); },
      [=] { select(on_receive(ch, [](std::optional<int> v) { EXPECT_EQ(v, 5); })); },
      [=] {
        select(on_receive(nobody), on_receive(ch, [](std::optional<int> v) { EXPECT_EQ(v, 5); }));
      }};
  const std::vector<std::function<void()>> sends = {
      [=] { ch.send(5); }, [=] { select(on_send(ch, 5)); },
      [=] { select(on_send(nobody, 1), on_send(ch, 5)); }};
  for (const auto& r : receives) {
    for (const auto& s : sends) {
      crew_.spawn(r);
      crew_.spawn(s);
      crew_.join();
    }
  }
}

WEIR_RULE(select_test, r42_overlapping_selects_never_deadlock) {
  channel<int> a, b;
  const int n = turns(2000);
  for (int i = 0; i < 2; ++i) {
    crew_.spawn([=] {
      for (int k = 0; k < n; ++k) select(on_send(a, k), on_send(b, k));
    });
    crew_.spawn([=] {
      for (int k = 0; k < n; ++k) select(on_receive(b), on_receive(a));
    });
  }
  crew_.join();
}

WEIR_RULE(select_test, r43_a_closed_channel_is_ready_and_a_send_on_it_throws_if_chosen) {
  crew_.run([] {
    channel<int> ch;
    ch.close();
    bool end = false;
    select(on_receive(ch, [&](std::optional<int> v) { end = !v; }));
    EXPECT_TRUE(end);
    EXPECT_THROW(select(on_send(ch, 1)), channel_closed);
    EXPECT_THROW(select(on_send(ch, 1), otherwise()), channel_closed);
  });
}

WEIR_RULE(select_test, r43_close_wakes_a_select_that_waits_to_send_and_it_throws) {
  channel<std::unique_ptr<int>> ch, other;
  std::atomic<bool> started{false};
  crew_.spawn([&, ch, other] {
    auto mine = std::make_unique<int>(1);
    started = true;
    EXPECT_THROW(select(on_send(ch, std::move(mine)), on_receive(other)), channel_closed);
    EXPECT_TRUE(mine);
  });
  until([&] { return started.load(); });
  ch.close();
  crew_.join();
}

WEIR_RULE(select_test, the_value_of_a_losing_send_stays_with_its_owner) {
  crew_.run([] {
    channel<std::unique_ptr<int>> full, ready{1};
    auto mine = std::make_unique<int>(1);
    EXPECT_EQ(select(on_send(full, std::move(mine)), otherwise()), 1U);
    ASSERT_TRUE(mine);
    EXPECT_EQ(select(on_send(ready, std::move(mine)), otherwise()), 0U);
    EXPECT_FALSE(mine);
    std::string text = "kept";
    channel<std::string> strings{1};
    EXPECT_EQ(select(on_send(strings, text)), 0U);
    EXPECT_EQ(text, "kept") << "an lvalue is copied";
  });
}

WEIR_RULE(select_test, the_item_of_a_losing_receive_stays_in_its_channel) {
  crew_.run([] {
    for (int i = 0; i < 100; ++i) {
      channel<int> a{1}, b{1};
      a.send(1);
      b.send(2);
      const std::size_t chosen = select(on_receive(a), on_receive(b));
      EXPECT_EQ(a.size() + b.size(), 1U);
      EXPECT_EQ((chosen == 0 ? b : a).size(), 1U);
    }
  });
}

WEIR_RULE(select_test, done_and_after_end_a_wait) {
  crew_.run([] {
    channel<int> ch;
    auto [ctx, cancel] = soon();
    EXPECT_EQ(select(on_receive(ch), on_done(ctx)), 1U);
    EXPECT_EQ(select(on_receive(ch), after(5ms), after(1h)), 1U);
    EXPECT_EQ(select(on_receive(ch), after(0ms)), 1U);
    EXPECT_EQ(select(on_receive(ch), after(-1s)), 1U);
  });
}

WEIR_RULE(select_test, the_runtime_sized_form_takes_any_mixture) {
  crew_.run([] {
    std::vector<channel<int>> channels(20);
    std::vector<select_case> cases;
    int got = 0;
    for (const auto& ch : channels) {
      cases.emplace_back(on_receive(ch, [&](std::optional<int> v) { got = v.value_or(-1); }));
    }
    cases.emplace_back(after(1h));
    go([=] { channels[13].send(42); });
    EXPECT_EQ(select(cases), 13U);
    EXPECT_EQ(got, 42);
  });
}

TEST(select_mistake_test, more_cases_than_65536_are_refused) {
  std::vector<select_case> too_many;
  for (int i = 0; i < 65'537; ++i) too_many.emplace_back(otherwise());
  EXPECT_THROW(select(too_many), std::length_error);
}

WEIR_RULE(select_test, stress_plain_and_select_on_four_channels_terminates) {
  // After Go's TestSelectStress.
  std::array<channel<int>, 4> c{channel<int>{0}, channel<int>{0}, channel<int>{2}, channel<int>{3}};
  const int n = turns(2000);
  for (const auto& ch : c) {
    crew_.spawn([=] {
      for (int i = 0; i < n; ++i) ch.send(i);
    });
    crew_.spawn([=] {
      for (int i = 0; i < n; ++i) (void)ch.receive();
    });
  }
  const auto all = [=](auto make_case) {
    std::array<int, 4> left{n, n, n, n};
    for (int i = 0; i < 4 * n; ++i) {
      std::vector<select_case> cases;
      for (std::size_t k = 0; k < 4; ++k) {
        if (left[k] > 0) cases.push_back(make_case(c[k], [&left, k] { --left[k]; }));
      }
      select(cases);
    }
  };
  crew_.spawn([=] { all([](const auto& ch, auto f) { return select_case(on_send(ch, 1, f)); }); });
  crew_.spawn([=] { all([](const auto& ch, auto f) { return select_case(on_receive(ch, f)); }); });
  crew_.join();
}

WEIR_RULE(select_test, r26_cases_on_one_channel_are_served_evenly_after_a_wait) {
  int served[2] = {};
  const channel<int> ch;
  constexpr int rounds = 40;  // that one of them never comes has a chance of 2^-39
  crew_.spawn([=] {
    for (int i = 0; i < rounds; ++i) {
      while (!ch.try_send(i)) yield();  // only a select that waits can take it
    }
  });
  for (int i = 0; i < rounds; ++i) ++served[select(on_receive(ch), on_receive(ch))];
  crew_.join();
  EXPECT_GT(served[0], 0);
  EXPECT_GT(served[1], 0);
}

// ---- cases that are kept ------------------------------------------------------------------------

TEST(select_case_test, a_kept_case_stands_beside_others) {
  const channel<int> c{1};
  c.send(7);
  int got = 0;
  select_case kept = on_receive(c, [&](std::optional<int> v) { got = v.value_or(-1); });
  EXPECT_EQ(select(kept, otherwise()), 0U);
  EXPECT_EQ(got, 7);
  EXPECT_EQ(select(kept, otherwise()), 1U);
}

TEST(select_case_test, a_case_that_was_sent_stays_spent_when_it_is_kept) {
  const channel<std::string> c{2};
  std::string v(40, 'x');
  auto used = on_send(c, std::move(v));
  select(used);
  std::vector<select_case> kept;
  kept.emplace_back(std::move(used));
  EXPECT_THROW(select(kept), std::logic_error);
  EXPECT_EQ(c.size(), 1U);
}

/// Only to be moved, though nothing in it needs code for that.
struct plain_item {
  explicit plain_item(int i) : number(i) {}
  plain_item(plain_item&&) = default;
  plain_item& operator=(plain_item&&) = default;
  int number;
};

TEST(select_case_test, plain_data_that_can_only_be_moved_is_sent_once) {
  const channel<plain_item> c{2};
  select(on_send(c, plain_item{1}));
  plain_item v{2};
  std::vector<select_case> kept;
  kept.emplace_back(on_send(c, std::move(v)));
  select(kept);
  EXPECT_EQ(c.receive()->number, 1);
  EXPECT_EQ(c.receive()->number, 2);
  EXPECT_THROW(select(kept), std::logic_error);
}

template <class Ch>
concept can_be_sent_to =
    requires(Ch ch, weir::detail::value_type_of<Ch> v) { on_send(ch, std::move(v)); };
template <class Ch>
concept can_be_received_from = requires(Ch ch) { on_receive(ch); };

TEST(select_case_test, halves_have_only_their_own_direction) {
  static_assert(can_be_sent_to<channel<int>> && can_be_received_from<channel<int>&>);
  static_assert(can_be_sent_to<const sender<int>&> && !can_be_sent_to<receiver<int>>);
  static_assert(can_be_received_from<receiver<int>> && !can_be_received_from<const sender<int>&>);
  static_assert(!can_be_sent_to<decltype(background().done())>);
  static_assert(!can_be_sent_to<decltype(std::declval<const timer&>().channel())>);
  static_assert(!can_be_sent_to<decltype(std::declval<const future<int>&>().done())>);
}

/// Its move may throw, so that channels keep it in a box.
struct boxed_string {
  std::string text;
  explicit boxed_string(std::string t) : text(std::move(t)) {}
  boxed_string(boxed_string&& o) noexcept(false) : text(std::move(o.text)) {}
  boxed_string& operator=(boxed_string&& o) noexcept(false) {
    text = std::move(o.text);
    return *this;
  }
};

TEST(select_case_test, a_case_that_was_not_chosen_takes_its_value_along_when_it_is_kept) {
  const channel<boxed_string> c{1};
  c.send(boxed_string("first"));
  boxed_string v(std::string(40, 'y'));
  auto used = on_send(c, std::move(v));
  EXPECT_EQ(select(used, otherwise()), 1U);
  std::vector<select_case> kept;
  kept.emplace_back(std::move(used));
  (void)c.receive();
  select(kept);
  EXPECT_EQ(c.receive()->text, std::string(40, 'y'));
}

}  // namespace
