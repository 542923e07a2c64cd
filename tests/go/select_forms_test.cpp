// SPDX-License-Identifier: MIT
// Go's test/chan/select*.go, nonblock.go, sendstmt.go and closedchan.go, written anew from what
// they do: what blocks, what does not, what is evaluated when, in every form.
#include "support.hpp"

#include <array>
#include <limits>
#include <memory>

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(select_forms);

/// Whether `f(ctx)` still waits when there is nothing left to do but to let time pass.
template <class F>
bool blocks(F f) {
  auto [ctx, cancel] = soon();
  f(ctx);
  return ctx.cancelled();
}

WEIR_RULE(select_forms, r6_r21_a_send_into_a_channel_that_was_received) {
  const channel<channel<int>> of_channels{1};
  const channel<int> inner{1};
  of_channels.send(inner);
  of_channels.receive()->send(2);
  EXPECT_EQ(inner.receive(), 2);
  of_channels.send(inner);
  select(on_send(*of_channels.receive(), 3), otherwise([] { ADD_FAILURE(); }));
  EXPECT_EQ(inner.receive(), 3);
}

WEIR_RULE(select_forms, r7_a_long_chain_of_tasks_and_channels) {
  const int n = under_seeds ? 20 : turns(10'000);
  weir::runtime rt{{.carriers = 1}};
  const auto chain = [n] {
    channel<int> left;
    const channel<int> first = left;
    for (int i = 0; i < n; ++i) {
      const channel<int> right;
      go([=] { left.send(*right.receive()); });
      left = right;
    }
    left.send(1);
    return first.receive();
  };
  EXPECT_EQ(under_seeds ? chain() : rt.run(chain), 1);
}

WEIR_RULE(select_forms, r13_the_value_is_the_one_of_the_call) {
  const channel<int> ch;
  int value = 1;
  std::atomic<int> got{0};
  crew_.spawn([&, ch] { got = *ch.receive(); });
  int mine = value;
  auto send = on_send(ch, mine);  // an lvalue: copied here
  mine = 9;
  select(std::move(send));
  crew_.join();
  EXPECT_EQ(got, 1);
}

WEIR_RULE(select_forms, r20_nonblocking_forms_on_every_kind_of_element) {
  const auto check = [](auto value, int capacity) {
    const channel<decltype(value)> ch{capacity};
    EXPECT_TRUE(ch.try_receive().empty());
    EXPECT_EQ(select(on_receive(ch), otherwise()), 1U);
    EXPECT_EQ(ch.try_send(value), capacity == 1);
    EXPECT_FALSE(ch.try_send(value));
    EXPECT_EQ(select(on_send(ch, value), otherwise()), 1U);
    const auto got = ch.try_receive();
    EXPECT_EQ(got.has_value(), capacity == 1);
    if (got.has_value()) {
      EXPECT_EQ(*got, value);
    }
  };
  struct pair {
    std::array<std::int64_t, 9> words;
    bool operator==(const pair&) const = default;
  };
  for (const int capacity : {0, 1}) {
    check(true, capacity);
    check(std::int8_t{-3}, capacity);
    check(std::string("a text that is too long to stand in place"), capacity);
    check(pair{{1, 2, 3}}, capacity);
  }
}

WEIR_RULE(select_forms, r28_a_range_over_a_channel_ends_with_it) {
  const channel<int> ch{3};
  for (int i = 0; i < 3; ++i) ch.send(i);
  ch.close();
  int expected = 0;
  for (const int v : ch) EXPECT_EQ(v, expected++);
  EXPECT_EQ(expected, 3);
  for (const int v : ch) ADD_FAILURE() << v;
  const receiver<int> half = ch;
  for (const int v : half) ADD_FAILURE() << v;
}

TEST(select_forms_forever, r30_r36_an_empty_select_and_one_of_nils_block_for_ever) {
  for (const bool nils : {false, true}) {
    const auto body = [nils] {
      const receiver<int> nil;
      if (nils) {
        select(on_receive(nil), on_send(sender<int>{}, 1), on_done(background()));
      } else {
        select();
      }
    };
    try {
      explore({.seeds = 5, .quiet = true}, body);
      ADD_FAILURE() << "it returned";
    } catch (const schedule_failure& e) {
      EXPECT_NE(std::string(e.what()).find("deadlock"), std::string::npos) << e.what();
    }
  }
}

WEIR_RULE(select_forms, r31_every_operand_is_evaluated_once_also_of_cases_not_chosen) {
  channel<int> a{1};
  channel<int> b{1};
  int calls = 0;
  int seen = 0;
  const auto value = [&](int v) {
    ++calls;
    return v;
  };
  const auto nil = sender<int>{};
  sender<int> to_a = a;
  sender<int> to_b = b;
  for (int turn = 0; turn < 4; ++turn) {
    select(on_send(to_a, value(1),
                   [&] {
                     seen |= 1;
                     to_a = nil;
                   }),
           on_send(to_b, value(2),
                   [&] {
                     seen |= 2;
                     to_b = nil;
                   }),
           otherwise());
  }
  EXPECT_EQ(calls, 8) << "for both cases, each time";
  EXPECT_EQ(seen, 3);
}

WEIR_RULE(select_forms, r32_only_the_chosen_cases_callback_is_called) {
  const channel<int> never;
  const channel<int> ready{1};
  ready.send(1);
  bool other = false;
  int got = 0;
  EXPECT_EQ(select(on_receive(never, [&](auto&&) { other = true; }),
                   on_receive(ready, [&](std::optional<int> v) { got = *v; })),
            1U);
  EXPECT_FALSE(other);
  EXPECT_EQ(got, 1);
}

TEST(select_sizes, r44_as_many_cases_as_in_go_and_not_one_more) {
  const channel<int> never;
  const channel<int> ready{1};
  ready.send(5);
  std::vector<select_case> cases;
  cases.reserve(65'537);
  for (int i = 0; i < 65'535; ++i) cases.emplace_back(on_receive(never));
  cases.emplace_back(on_receive(ready));
  EXPECT_EQ(select(std::span(cases)), 65'535U);
  cases.emplace_back(on_receive(never));
  EXPECT_THROW(select(std::span(cases)), std::length_error);
}

/// The same receive or send, phrased in each of the ways that mean the same.
template <class Ch>
std::optional<int> receive_as(int form, const Ch& ch) {
  std::optional<int> got;
  const auto keep = [&](std::optional<int> v) { got = v; };
  const receiver<int> nil;
  const channel<int> dummy;
  switch (form) {
    case 0: return ch.receive();
    case 1: select(on_receive(ch, keep)); return got;
    case 2: select(on_receive(nil), on_receive(ch, keep)); return got;
    case 3: select(on_receive(ch, keep), on_receive(dummy), on_send(dummy, 9)); return got;
    case 4: select(on_receive(ch, keep), on_done(background())); return got;
    case 5: {
      std::vector<select_case> cases;
      cases.emplace_back(on_receive(dummy));
      cases.emplace_back(on_receive(ch, keep));
      select(std::span(cases));
      return got;
    }
    default:
      while (select(otherwise([] { yield(); }), on_receive(ch, keep)) == 0) {
      }
      return got;
  }
}

template <class Ch>
void send_as(int form, const Ch& ch, int v) {
  const sender<int> nil;
  const channel<int> dummy;
  switch (form) {
    case 0: ch.send(v); return;
    case 1: select(on_send(ch, v)); return;
    case 2: select(on_send(nil, 9), on_send(ch, v)); return;
    case 3: select(on_receive(dummy), on_send(ch, v), on_send(dummy, 9)); return;
    case 4: select(on_send(ch, v), on_done(background())); return;
    case 5: {
      std::vector<select_case> cases;
      cases.emplace_back(on_send(ch, v));
      cases.emplace_back(on_receive(dummy));
      select(std::span(cases));
      return;
    }
    default:
      while (select(on_send(ch, v), otherwise([] { yield(); })) == 1) {
      }
  }
}

WEIR_RULE(select_forms, r41_r45_every_form_of_send_meets_every_form_of_receive) {
  for (const int capacity : {0, 1}) {
    for (int s = 0; s < 7; ++s) {
      for (int r = 0; r < 7; ++r) {
        if (capacity == 0 && s == 6 && r == 6) continue;  // two that only try may miss each other
        const channel<int> ch{capacity};
        crew_.spawn([=] { send_as(s, ch, 10 * s + r); });
        ASSERT_EQ(receive_as(r, ch), 10 * s + r) << s << ' ' << r;
        crew_.join();
      }
    }
  }
}

WEIR_RULE(select_forms, r22_r25_r45_every_form_on_a_closed_channel) {
  for (const int buffered : {0, 1}) {
    for (int form = 0; form < 7; ++form) {
      const channel<int> ch{buffered};
      if (buffered == 1) ch.send(7);
      ch.close();
      if (buffered == 1) {
        EXPECT_EQ(receive_as(form, ch), 7);
      }
      EXPECT_FALSE(receive_as(form, ch));
      EXPECT_THROW(send_as(form, ch, 1), channel_closed) << form;
      EXPECT_THROW(ch.close(), channel_closed);
      EXPECT_FALSE(receive_as(form, ch)) << "it stays usable";
    }
  }
}

WEIR_RULE(select_forms, r10_r11_r12_r43_the_table_of_what_blocks) {
  const auto full = [] {
    const channel<int> ch{1};
    ch.send(1);
    return ch;
  };
  const auto closed = [] {
    const channel<int> ch{1};
    ch.close();
    return ch;
  };
  const channel<int> open;
  const channel<int> room{1};
  using context_ref = const context&;
  EXPECT_TRUE(blocks([&](context_ref ctx) { (void)receiver<int>{}.receive(ctx); }));
  EXPECT_TRUE(blocks([&](context_ref ctx) { (void)sender<int>{}.send(ctx, 1); }));
  EXPECT_TRUE(blocks([&](context_ref ctx) { (void)open.receive(ctx); }));
  EXPECT_TRUE(blocks([&](context_ref ctx) { (void)open.send(ctx, 1); }));
  EXPECT_TRUE(blocks([&](context_ref ctx) { (void)full().send(ctx, 2); }));
  EXPECT_TRUE(blocks([&](context_ref ctx) { (void)room.receive(ctx); }));
  EXPECT_FALSE(blocks([&](context_ref ctx) { (void)room.send(ctx, 1); }));
  EXPECT_FALSE(blocks([&](context_ref ctx) { (void)full().receive(ctx); }));
  EXPECT_FALSE(blocks([&](context_ref ctx) { (void)closed().receive(ctx); }));
  EXPECT_TRUE(blocks([&](context_ref ctx) {
    select(on_receive(receiver<int>{}), on_send(sender<int>{}, 1), on_done(ctx));
  }));
  EXPECT_TRUE(blocks([&](context_ref ctx) {  // it never meets itself
    const channel<int> self;
    select(on_receive(self), on_send(self, 1), on_done(ctx));
  }));
  EXPECT_FALSE(blocks([&](context_ref ctx) {
    const channel<int> self{1};
    select(on_receive(self), on_send(self, 1), on_done(ctx));
  }));
  EXPECT_FALSE(blocks([&](context_ref ctx) { select(on_receive(closed()), on_done(ctx)); }));
  EXPECT_FALSE(
      blocks([&](context_ref ctx) { select(otherwise(), on_receive(open), on_done(ctx)); }));
  EXPECT_THROW(blocks([&](context_ref ctx) { select(on_send(closed(), 1), on_done(ctx)); }),
               channel_closed);
}

WEIR_RULE(select_forms, r38_leaving_a_select_by_exception_leaves_nothing_behind) {
  const channel<int> a{1};
  const channel<int> b;
  for (int i = 0; i < 3; ++i) {
    a.send(i);
    EXPECT_THROW(
        select(on_receive(a, [](auto&&) { throw std::out_of_range("early"); }), on_receive(b)),
        std::out_of_range);
  }
  crew_.spawn([=] { EXPECT_EQ(b.receive(), 4); });
  b.send(4);  // a stale waiter would swallow it
  crew_.join();
}

WEIR_RULE(select_forms, r46_select_has_no_priority_and_the_context_forms_do) {
  auto [ctx, cancel] = with_cancel(background());
  cancel();
  const channel<int> ch{1};
  int data = 0;
  int done = 0;
  for (int i = 0; i < 100; ++i) {
    (void)ch.try_send(1);
    select(on_receive(ch, [&] { ++data; }), on_done(ctx, [&] { ++done; }));
  }
  EXPECT_GT(data, 0);
  EXPECT_GT(done, 0);
  (void)ch.try_send(1);
  EXPECT_FALSE(ch.receive(ctx));
  EXPECT_EQ(ch.size(), 1U);
}

}  // namespace
