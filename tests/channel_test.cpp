// SPDX-License-Identifier: MIT
// Rules of Go for channels that touch everyday use; the numbers are those of docs/semantics.md.
#include "support.hpp"

#include <limits>
#include <memory>
#include <mutex>
#include <ranges>
#include <set>

namespace {

using namespace weir_test;
using weir::channel;

WEIR_RULES(channel_test);

template <class Ch>
concept can_send = requires(Ch c) { c.send(1); };
template <class Ch>
concept can_receive = requires(Ch c) { c.receive(); };
template <class Ch>
concept can_range = requires(Ch c) { c.begin(); };
template <class Ch>
concept can_close = requires(Ch c) { c.close(); };

TEST(channel_creation, r1_length_and_capacity) {
  EXPECT_EQ(channel<int>{}.capacity(), 0U);
  channel<int> ch{3};
  EXPECT_EQ(ch.capacity(), 3U);
  ch.send(1);
  EXPECT_EQ(ch.size(), 1U);
  EXPECT_EQ(weir::receiver<int>{}.size(), 0U);
  EXPECT_EQ(weir::receiver<int>{}.capacity(), 0U);
}

TEST(channel_creation, r2_a_capacity_that_cannot_be_is_named) {
  EXPECT_THROW(channel<int>{-1}, std::length_error);
  EXPECT_THROW(channel<int>{std::numeric_limits<std::int64_t>::min()}, std::length_error);
  EXPECT_THROW(channel<int>{std::int64_t{1} << 62}, std::length_error);
  EXPECT_THROW(channel<int>{std::numeric_limits<std::uint64_t>::max()}, std::length_error);
  try {
    channel<int> ch{-7};
    FAIL();
  } catch (const std::length_error& e) {
    EXPECT_NE(std::string(e.what()).find("-7"), std::string::npos) << e.what();
  }
}

TEST(channel_creation, r3_elements_without_content_are_counted) {
  struct nothing {};
  channel<nothing> ch{2};
  ch.send({});
  EXPECT_EQ(ch.size(), 1U);
  EXPECT_TRUE(ch.receive());
  EXPECT_EQ(ch.size(), 0U);
}

TEST(channel_creation, r4_halves_have_only_their_own_direction) {
  static_assert(std::convertible_to<channel<int>, weir::sender<int>>);
  static_assert(std::convertible_to<channel<int>, weir::receiver<int>>);
  static_assert(!std::convertible_to<weir::sender<int>, channel<int>>);
  static_assert(!std::convertible_to<weir::sender<int>, weir::receiver<int>>);
  static_assert(can_send<weir::sender<int>> && can_close<weir::sender<int>>);
  static_assert(!can_receive<weir::sender<int>> && !can_range<weir::sender<int>>);
  static_assert(can_receive<weir::receiver<int>> && can_range<weir::receiver<int>>);
  static_assert(!can_send<weir::receiver<int>> && !can_close<weir::receiver<int>>);
}

TEST(channel_creation, r5_a_copy_names_the_same_channel) {
  channel<int> a{1};
  channel<int> b = a;
  EXPECT_EQ(a, b);
  EXPECT_FALSE(a == channel<int>{1});
  b.send(5);
  EXPECT_EQ(a.receive(), 5);
}

/// Only to be moved, and its address is nobody's.
struct item {
  explicit item(int i) : number(i) {}
  item(item&&) = default;
  item& operator=(item&&) = default;
  item* operator&() const = delete;  // NOLINT: that is the point
  int number;
};

TEST(channel_creation, an_element_need_only_be_movable) {
  const channel<item> ch{2};
  ch.send(item{1});
  ch.send(item{2});
  ch.close();
  int expected = 1;
  for (item v : ch) EXPECT_EQ(v.number, expected++);
  EXPECT_EQ(expected, 3);
}

template <class Ch>
using loop_gives = std::ranges::range_reference_t<const Ch>;

TEST(channel_creation, a_loop_gives_what_it_cannot_copy_to_be_moved_from) {
  using pointer = std::unique_ptr<int>;
  static_assert(std::same_as<loop_gives<channel<int>>, int&>);
  static_assert(std::same_as<loop_gives<channel<pointer>>, pointer&&>);
  static_assert(std::same_as<loop_gives<channel<std::vector<pointer>>>, std::vector<pointer>&&>);
  static_assert(std::same_as<loop_gives<weir::receiver<pointer>>, pointer&&>);
  static_assert(std::ranges::input_range<const channel<pointer>>);

  const channel<pointer> ch{4};
  for (int i = 1; i <= 4; ++i) ch.send(std::make_unique<int>(i));
  ch.close();
  int sum = 0;
  for (auto&& p : ch | std::views::filter([](const pointer& v) { return *v != 2; })) sum += *p;
  EXPECT_EQ(sum, 8);
}

struct alignas(4096) page {
  int number;
  bool* misplaced;
  page(int n, bool* m) : number(n), misplaced(m) { look(); }
  page(page&& o) noexcept : page(o.number, o.misplaced) {}
  page& operator=(page&&) = default;
  ~page() = default;
  void look() const {
    if (reinterpret_cast<std::uintptr_t>(this) % alignof(page) != 0) *misplaced = true;
  }
};

TEST(channel_creation, an_element_may_want_any_alignment) {
  bool misplaced = false;
  const channel<page> ch{3};
  for (int i = 1; i <= 3; ++i) ch.send(page(i, &misplaced));
  ch.close();
  int expected = 1;
  for (const auto& p : ch) EXPECT_EQ(p.number, expected++);
  EXPECT_EQ(expected, 4);
  EXPECT_FALSE(misplaced);
}

TEST(channel_creation, what_is_received_may_be_left) {
  const channel<int> ch{1};
  ch.close();
  ch.receive();
  ch.receive(weir::background());  // (no warning)
}

WEIR_RULE(channel_test, r8_a_buffered_channel_is_first_in_first_out) {
  channel<int> ch{10};
  crew_.spawn([=] {
    for (int i = 0; i < 100; ++i) ch.send(i);
    ch.close();
  });
  crew_.spawn([=] {
    int expected = 0;
    for (int v : ch) EXPECT_EQ(v, expected++);
    EXPECT_EQ(expected, 100);
  });
  crew_.join();
}

WEIR_RULE(channel_test, r9_an_unbuffered_send_returns_only_when_the_value_is_taken) {
  channel<int> ch;
  std::atomic<bool> taken{false};
  crew_.spawn([&, ch] {
    ch.send(1);
    EXPECT_TRUE(taken);
  });
  crew_.spawn([&, ch] {
    until([&] { return !ch.try_send(9); });  // whatever the sender does, nobody receives yet
    taken = true;
    EXPECT_EQ(ch.receive(), 1);
  });
  crew_.join();
}

WEIR_RULE(channel_test, r10_a_send_blocks_if_the_buffer_is_full_and_only_then) {
  crew_.run([] {
    channel<int> ch{2};
    EXPECT_TRUE(ch.try_send(1));
    EXPECT_TRUE(ch.try_send(2));
    EXPECT_FALSE(ch.try_send(3));
    auto [ctx, cancel] = soon();
    EXPECT_FALSE(ch.send(ctx, 3));
    EXPECT_EQ(ch.size(), 2U);
  });
}

WEIR_RULE(channel_test, r12_a_nil_channel_blocks_until_the_context_is_done) {
  crew_.run([] {
    auto [ctx, cancel] = soon();
    EXPECT_FALSE(weir::receiver<int>{}.receive(ctx));
    auto [ctx2, cancel2] = soon();
    EXPECT_FALSE(weir::sender<int>{}.send(ctx2, 1));
    EXPECT_FALSE(weir::sender<int>{}.try_send(1));
    EXPECT_TRUE(weir::receiver<int>{}.try_receive().empty());
  });
}

WEIR_RULE(channel_test, r14_a_value_handed_to_a_waiting_receiver_cannot_be_stolen) {
  for (int turn = 0; turn < turns(200); ++turn) {
    channel<int> ch;
    std::atomic<int> got{0};
    crew_.spawn([&, ch] { got = ch.receive().value_or(-1); });
    until([&] { return ch.try_send(7); });  // succeeds only into the waiting receiver's hands
    EXPECT_FALSE(ch.try_receive());         // and nobody else finds it
    crew_.join();
    EXPECT_EQ(got, 7);
  }
}

TEST(channel_order, r15_r16_waiters_are_served_in_order_of_arrival) {
  on_virtual_time([] {
    channel<int> ch{1};
    std::vector<int> order;
    weir::wait_group wg;
    for (int i = 0; i < 5; ++i) {
      wg.go([&, i] { ch.send(i); });
      weir::yield();  // it runs, and waits, before the next starts
    }
    for (int i = 0; i < 5; ++i) order.push_back(*ch.receive());
    wg.wait();
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));

    std::mutex m;  // nothing orders the tasks after their receives
    std::vector<std::pair<int, int>> served;
    for (int i = 0; i < 5; ++i) {
      wg.go([&, i] {
        const int value = *ch.receive();
        const std::lock_guard lock(m);
        served.emplace_back(i, value);
      });
      weir::yield();
    }
    for (int i = 0; i < 5; ++i) ch.send(i);
    wg.wait();
    std::sort(served.begin(), served.end());
    for (int i = 0; i < 5; ++i) EXPECT_EQ(served[static_cast<std::size_t>(i)].second, i);
  });
}

WEIR_RULE(channel_test, r18_every_value_is_delivered_exactly_once) {
  for (const int capacity : {0, 1, 16}) {
    channel<int> ch{capacity};
    const int n = turns(2000);
    weir::wait_group senders;
    for (int p = 0; p < 4; ++p) {
      senders.add();
      crew_.spawn([=] {
        for (int i = 0; i < n; ++i) ch.send(p * n + i);
        senders.done();
      });
    }
    std::vector<std::vector<int>> received(4);
    for (auto& mine : received) {
      crew_.spawn([&mine, ch] {
        for (int v : ch) mine.push_back(v);
      });
    }
    senders.wait();
    ch.close();
    crew_.join();
    std::multiset<int> all;
    for (auto& mine : received) all.insert(mine.begin(), mine.end());
    ASSERT_EQ(all.size(), static_cast<std::size_t>(4 * n));
    for (int i = 0; i < 4 * n; ++i) ASSERT_EQ(all.count(i), 1U);
  }
}

WEIR_RULE(channel_test, r22_after_close_the_buffer_comes_first_and_then_the_end_for_ever) {
  crew_.run([] {
    channel<int> ch{3};
    ch.send(1);
    ch.send(2);
    ch.close();
    EXPECT_EQ(ch.receive(), 1);
    EXPECT_EQ(*ch.try_receive(), 2);
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(ch.receive());
    EXPECT_TRUE(ch.try_receive().closed());
    EXPECT_TRUE(ch.closed());
  });
}

WEIR_RULE(channel_test, r23_close_wakes_every_receiver) {
  channel<int> ch;
  std::atomic<int> ended{0};
  for (int i = 0; i < 8; ++i) {
    crew_.spawn([&, ch] {
      EXPECT_FALSE(ch.receive());
      ++ended;
    });
  }
  ch.close();
  crew_.join();
  EXPECT_EQ(ended, 8);
}

WEIR_RULE(channel_test, r24_close_wakes_every_sender_and_they_throw_and_keep_their_values) {
  channel<std::unique_ptr<int>> ch{1};
  ch.send(std::make_unique<int>(0));
  std::atomic<int> thrown{0};
  std::atomic<int> started{0};
  for (int i = 0; i < 4; ++i) {
    crew_.spawn([&, ch] {
      auto mine = std::make_unique<int>(7);
      ++started;
      try {
        ch.send(std::move(mine));
        ADD_FAILURE() << "a send on a full, closed channel returned";
      } catch (const weir::channel_closed&) {
        ASSERT_TRUE(mine);
        EXPECT_EQ(*mine, 7);
        ++thrown;
      }
    });
  }
  until([&] { return started == 4; });
  ch.close();
  crew_.join();
  EXPECT_EQ(thrown, 4);
  EXPECT_EQ(**ch.receive(), 0) << "the buffer is kept";
  EXPECT_FALSE(ch.receive());
}

WEIR_RULE(channel_test, r25_r26_r27_misuse_throws_and_the_channel_stays_usable) {
  crew_.run([] {
    channel<int> ch{1};
    ch.send(1);
    ch.close();
    EXPECT_THROW(ch.send(2), weir::channel_closed);
    EXPECT_THROW((void)ch.try_send(2), weir::channel_closed);
    EXPECT_THROW((void)ch.send(weir::background(), 2), weir::channel_closed);
    EXPECT_THROW(ch.close(), weir::channel_closed);
    EXPECT_THROW(ch.close(), std::logic_error);
    EXPECT_THROW(weir::sender<int>{}.close(), std::logic_error);
    EXPECT_EQ(ch.receive(), 1);
    EXPECT_FALSE(ch.receive());
  });
}

WEIR_RULE(channel_test, r20_try_receive_never_misses_what_is_there_or_the_close) {
  for (int i = 0; i < turns(3000); ++i) {
    channel<int> ch{1};
    ch.send(1);
    std::atomic<bool> would_block{false};
    weir::channel<int> over{1};
    crew_.spawn([&, ch, over] {
      if (ch.try_receive().empty()) would_block = true;
      over.send(1);
    });
    ch.close();
    (void)ch.receive();
    (void)over.receive();
    ASSERT_FALSE(would_block);
  }
}

WEIR_RULE(channel_test, a_context_that_is_done_wins_over_data_and_room) {
  crew_.run([] {
    channel<int> ch{2};
    ch.send(1);
    auto [ctx, cancel] = weir::with_cancel(weir::background());
    cancel();
    EXPECT_FALSE(ch.receive(ctx));
    EXPECT_EQ(ch.size(), 1U) << "the item stays in its channel";
    EXPECT_FALSE(ch.send(ctx, 2));
    EXPECT_EQ(ch.size(), 1U);
  });
}

WEIR_RULE(channel_test, cancel_releases_senders_and_receivers_and_loses_nothing) {
  channel<std::unique_ptr<int>> out;
  channel<int> in;
  auto [ctx, cancel] = weir::with_cancel(weir::background());
  std::atomic<int> waiting{0};
  for (int i = 0; i < 4; ++i) {
    crew_.spawn([&, ctx = ctx, in] {
      ++waiting;
      EXPECT_FALSE(in.receive(ctx));
    });
    crew_.spawn([&, ctx = ctx, out] {
      auto mine = std::make_unique<int>(3);
      ++waiting;
      EXPECT_FALSE(out.send(ctx, std::move(mine)));
      ASSERT_TRUE(mine) << "the value of a cancelled send is its owner's";
    });
  }
  until([&] { return waiting == 8; });
  cancel();
  crew_.join();
  EXPECT_TRUE(in.try_receive().empty());
}

struct counted {
  static inline std::atomic<int> alive{0};
  counted() { ++alive; }
  counted(counted&&) noexcept { ++alive; }
  counted& operator=(counted&&) noexcept = default;
  ~counted() { --alive; }
};

WEIR_RULE(channel_test, what_is_buffered_when_the_last_handle_goes_is_destroyed_once) {
  {
    channel<counted> ch{4};
    ch.send(counted{});
    ch.send(counted{});
    (void)ch.receive();
  }
  EXPECT_EQ(counted::alive, 0);
}

struct no_default {
  explicit no_default(int n) : value(n) {}
  int value;
};

TEST(channel_elements, need_no_default_constructor) {
  channel<no_default> ch{1};
  ch.send(no_default{4});
  EXPECT_EQ(ch.receive()->value, 4);
}

struct throws_on_move {
  explicit throws_on_move(int n) : value(n) {}
  throws_on_move(throws_on_move&& other) : value(other.value) {  // NOLINT: that is the point
    if (other.armed) throw std::runtime_error("move");
    other.value = -1;
  }
  throws_on_move& operator=(throws_on_move&&) = default;
  int value;
  bool armed = false;
};

TEST(channel_elements, a_move_that_throws_leaves_the_channel_as_it_was) {
  channel<throws_on_move> ch{2};
  throws_on_move bad(1);
  bad.armed = true;
  EXPECT_THROW(ch.send(std::move(bad)), std::runtime_error);
  EXPECT_EQ(ch.size(), 0U);
  ch.send(throws_on_move(2));
  EXPECT_EQ(ch.receive()->value, 2);
}

}  // namespace
