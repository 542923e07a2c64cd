// SPDX-License-Identifier: MIT
// What everyday use of channels rarely meets: blocked senders and their order, closing them, a full
// buffer with a queue behind it, hand-offs that nobody can steal.
#include "support.hpp"

#include <mutex>

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(channel_rules);

std::size_t length(const detail::wait_list& list) {
  std::size_t n = 0;
  for (const detail::wait_node* node = list.front(); node != nullptr; node = node->next) ++n;
  return n;
}
template <class T>
std::size_t senders_of(const channel<T>& ch) {
  const std::lock_guard lock(ch.state()->lock);
  return length(ch.state()->senders);
}
template <class T>
std::size_t receivers_of(const channel<T>& ch) {
  const std::lock_guard lock(ch.state()->lock);
  return length(ch.state()->receivers);
}

WEIR_RULE(channel_rules, r11_a_receive_blocks_if_empty_and_open_and_only_then) {
  const channel<int> ch{1};
  EXPECT_FALSE(ch.receive(soon().ctx));
  ch.send(1);
  EXPECT_EQ(ch.receive(), 1);
  ch.close();
  EXPECT_FALSE(ch.receive());
}

WEIR_RULE(channel_rules, r15_waiting_receivers_are_served_in_order_of_arrival) {
  const channel<int> ch;
  std::vector<std::atomic<int>> got(5);
  for (std::size_t i = 0; i < got.size(); ++i) {
    crew_.spawn([&, ch, i] { got[i] = ch.receive().value_or(-1); });
    until([&] { return receivers_of(ch) == i + 1; });
  }
  for (int v = 0; v < 5; ++v) ch.send(v);
  crew_.join();
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], static_cast<int>(i));
}

WEIR_RULE(channel_rules, r16_waiting_senders_are_served_in_order_and_behind_the_buffer) {
  for (const int capacity : {0, 1, 3}) {
    const channel<int> ch{capacity};
    for (int v = 0; v < capacity; ++v) ch.send(v);
    for (int i = 0; i < 5; ++i) {
      crew_.spawn([=] { ch.send(capacity + i); });
      until([&] { return senders_of(ch) == static_cast<std::size_t>(i) + 1; });
    }
    for (int v = 0; v < capacity + 5; ++v) ASSERT_EQ(ch.receive(), v);
    crew_.join();
  }
}

WEIR_RULE(channel_rules, r10_r16_a_receive_from_a_full_channel_releases_the_first_blocked_sender) {
  const channel<int> ch{1};
  ch.send(1);
  const channel<int> released{1};
  crew_.spawn([=] {
    ch.send(2);
    released.send(2);
  });
  until([&] { return senders_of(ch) == 1; });
  EXPECT_EQ(ch.receive(), 1);
  EXPECT_EQ(released.receive(), 2) << "there was room, and it still waited";
  EXPECT_EQ(ch.size(), 1U);
  EXPECT_EQ(ch.receive(), 2);
  crew_.join();
}

WEIR_RULE(channel_rules, r14_what_is_sent_to_a_waiting_receiver_is_its_own_at_once) {
  for (const int capacity : {0, 2}) {
    const channel<int> ch{capacity};
    std::atomic<int> got{0};
    crew_.spawn([&, ch] { got = ch.receive().value_or(-1); });
    until([&] { return receivers_of(ch) == 1; });
    ch.send(1);
    EXPECT_EQ(ch.size(), 0U) << "it went into the buffer, where others can take it";
    EXPECT_TRUE(ch.try_receive().empty());
    crew_.join();
    EXPECT_EQ(got, 1);
  }
}

WEIR_RULE(channel_rules, r14_a_waiting_select_cannot_be_robbed_either) {
  const channel<int> ch;
  const channel<int> other;
  std::atomic<int> got{0};
  crew_.spawn([&, ch, other] {
    select(on_receive(ch, [&](std::optional<int> v) { got = v.value_or(-1); }), on_receive(other));
  });
  until([&] { return receivers_of(ch) == 1 && receivers_of(other) == 1; });
  EXPECT_TRUE(ch.try_send(7));
  EXPECT_FALSE(other.try_send(8)) << "the select was claimed a second time";
  EXPECT_TRUE(ch.try_receive().empty());
  crew_.join();
  EXPECT_EQ(got, 7);
}

WEIR_RULE(channel_rules, r17_nobody_waits_for_what_is_there) {
  // The invariants, whenever nobody is inside: a buffered value and a waiting receiver, or room and
  // a waiting sender, never at the same time.
  const channel<int> ch{2};
  const auto holds = [&] {
    const std::lock_guard lock(ch.state()->lock);
    const auto& s = *ch.state();
    if (s.count > 0 && length(s.receivers) > 0) return false;
    return !(s.count < s.cap && length(s.senders) > 0);
  };
  const int n = under_seeds ? 6 : turns(2000);
  crew_.spawn([=] {
    for (int i = 0; i < n; ++i) ch.send(i);
  });
  crew_.spawn([=] {
    for (int i = 0; i < n; ++i) (void)ch.receive();
  });
  for (int i = 0; i < n; ++i) {
    ASSERT_TRUE(holds());
    yield();
  }
  crew_.join();
  EXPECT_TRUE(holds());
}

WEIR_RULE(channel_rules, r19_ok_is_false_only_when_closed_and_drained) {
  const channel<int> ch{2};
  ch.send(0);
  ch.close();
  auto first = ch.try_receive();
  EXPECT_TRUE(first.has_value());
  EXPECT_FALSE(first.closed());
  EXPECT_EQ(*first, 0) << "a value that is zero is still a value";
  EXPECT_TRUE(ch.try_receive().closed());
  EXPECT_FALSE(ch.receive());
}

WEIR_RULE(channel_rules, r23_close_wakes_a_hundred_receivers) {
  const channel<int> ch;
  std::atomic<std::size_t> ended{0};
  const std::size_t n = under_seeds ? 40 : 100;
  for (std::size_t i = 0; i < n; ++i) {
    crew_.spawn([&, ch] {
      if (!ch.receive()) ++ended;
    });
  }
  until([&] { return receivers_of(ch) == n; });
  ch.close();
  crew_.join();
  EXPECT_EQ(ended, n);
}

WEIR_RULE(channel_rules, r24_close_wakes_senders_that_wait_for_a_context_or_in_select) {
  const channel<std::unique_ptr<int>> ch;
  std::atomic<int> thrown{0};
  auto [ctx, cancel] = with_cancel(background());
  crew_.spawn([&, ch, ctx = ctx] {
    auto mine = std::make_unique<int>(1);
    EXPECT_THROW((void)ch.send(ctx, std::move(mine)), channel_closed);
    EXPECT_TRUE(mine) << "the value of a failed send is its owner's";
    ++thrown;
  });
  crew_.spawn([&, ch, ctx = ctx] {
    auto mine = std::make_unique<int>(2);
    EXPECT_THROW(select(on_send(ch, std::move(mine)), on_done(ctx)), channel_closed);
    EXPECT_TRUE(mine);
    ++thrown;
  });
  until([&] { return senders_of(ch) == 2; });
  ch.close();
  crew_.join();
  EXPECT_EQ(thrown, 2);
  EXPECT_FALSE(ch.receive()) << "nothing of them was delivered";
}

WEIR_RULE(channel_rules, r29_a_woken_receiver_may_use_the_channel_at_once) {
  // If wake-ups came under the channel's lock, one carrier, or two, could stop each other here.
  const channel<int> ch;
  std::atomic<int> through{0};
  int before_close = 0;
  for (int i = 0; i < 4; ++i) {
    crew_.spawn([&, ch] {
      EXPECT_FALSE(ch.receive());
      EXPECT_EQ(before_close, 5) << "what came before the close is visible";
      EXPECT_TRUE(ch.closed());
      EXPECT_TRUE(ch.try_receive().closed());
      ++through;
    });
  }
  until([&] { return receivers_of(ch) == 4; });
  before_close = 5;
  ch.close();
  crew_.join();
  EXPECT_EQ(through, 4);
}

WEIR_RULE(channel_rules, a_cancelled_waiter_leaves_the_queue_and_the_next_is_served) {
  const channel<int> ch;
  auto [ctx, cancel] = with_cancel(background());
  crew_.spawn([=, ctx = ctx] { EXPECT_FALSE(ch.receive(ctx)); });
  until([&] { return receivers_of(ch) == 1; });
  std::atomic<int> got{0};
  crew_.spawn([&, ch] { got = ch.receive().value_or(-1); });
  until([&] { return receivers_of(ch) == 2; });
  cancel();
  ch.send(3);
  crew_.join();
  EXPECT_EQ(got, 3);
  EXPECT_EQ(receivers_of(ch), 0U);
  EXPECT_TRUE(ch.try_receive().empty());
}

WEIR_RULE(channel_rules, a_served_waiter_leaves_its_contexts_queue) {
  const channel<int> ch{1};
  auto [ctx, cancel] = with_cancel(background());
  detail::channel_core& signal = *ctx.done_core();
  for (int i = 0; i < 3; ++i) {
    crew_.spawn([=, ctx = ctx] { EXPECT_EQ(ch.receive(ctx), i); });
    until([&] { return receivers_of(ch) == 1; });
    ch.send(i);
    crew_.join();
  }
  until([&] {  // (a task takes out a standing wait as it ends)
    const std::lock_guard lock(signal.lock);
    return signal.receivers.empty();
  });
  cancel();
}

WEIR_RULE(channel_rules, a_cancel_and_a_value_at_the_same_time_lose_nothing) {
  for (int turn = 0; turn < turns(500); ++turn) {
    const channel<std::unique_ptr<int>> ch;
    auto [ctx, cancel] = with_cancel(background());
    std::atomic<int> received{0};
    crew_.spawn([&, ch, ctx = ctx] {
      if (ch.receive(ctx)) ++received;
    });
    std::atomic<int> kept{0};
    crew_.spawn([&, ch, ctx = ctx] {
      auto mine = std::make_unique<int>(1);
      const bool sent = ch.send(ctx, std::move(mine));
      EXPECT_EQ(sent, mine == nullptr);
      if (mine) ++kept;
    });
    crew_.spawn([cancel = cancel] { cancel(); });
    crew_.join();
    ASSERT_EQ(received + kept, 1);
  }
}

}  // namespace
