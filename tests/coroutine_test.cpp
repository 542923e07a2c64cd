// SPDX-License-Identifier: MIT
// Coroutines as waiters: among tasks and threads, cancelled, closed upon, destroyed.
#include "support.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <vector>
#include <weir/coroutine.hpp>

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(coroutine_test);

// ---- what they share ----------------------------------------------------------------------------

/// How many stand in the channel's queues.
template <class T>
int waiting(const channel<T>& ch) {
  auto& core = *ch.state();
  const std::lock_guard lock(core.lock);
  int n = 0;
  for (auto* node = core.receivers.front(); node != nullptr; node = node->next) ++n;
  for (auto* node = core.senders.front(); node != nullptr; node = node->next) ++n;
  return n;
}

/// Received values, by whomever.
class tally {
 public:
  void add(int value) {
    const std::lock_guard lock(m_);
    values_.push_back(value);
  }
  [[nodiscard]] std::vector<int> sorted() const {
    const std::lock_guard lock(m_);
    std::vector<int> all = values_;
    std::sort(all.begin(), all.end());
    return all;
  }
  [[nodiscard]] std::vector<int> in_order() const {
    const std::lock_guard lock(m_);
    return values_;
  }

 private:
  mutable std::mutex m_;
  std::vector<int> values_;
};

std::vector<int> numbers(int n) {
  std::vector<int> all(static_cast<std::size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

detached receive_all(channel<int> from, tally& into, wait_group ended) {
  while (auto v = co_await async_receive(from)) into.add(*v);
  ended.done();
}

detached send_all(channel<int> to, int n, wait_group ended) {
  for (int i = 0; i < n; ++i) co_await async_send(to, i);
  to.close();
  ended.done();
}

// ---- receive and send ---------------------------------------------------------------------------

detached take_three(channel<int> from, tally& into) {
  for (int i = 0; i < 3; ++i) into.add((co_await async_receive(from)).value_or(-1));
}

WEIR_RULE(coroutine_test, what_is_there_is_taken_without_suspending) {
  crew_.run([] {
    const channel<int> ch{2};
    ch.send(1);
    ch.send(2);
    ch.close();
    tally got;
    take_three(ch, got);  // it has ended when this returns
    EXPECT_EQ(got.in_order(), (std::vector<int>{1, 2, -1}));
  });
}

WEIR_RULE(coroutine_test, coroutines_talk_to_each_other_in_order) {
  for (const int capacity : {0, 1, 5}) {
    const channel<int> ch{capacity};
    tally got;
    const wait_group ended;
    ended.add(2);
    crew_.spawn([&] { receive_all(ch, got, ended); });
    crew_.spawn([&] { send_all(ch, 100, ended); });
    crew_.join();
    ended.wait();
    EXPECT_EQ(got.in_order(), numbers(100));
  }
}

WEIR_RULE(coroutine_test, coroutines_talk_to_tasks_and_threads) {
  const channel<int> to, from;
  tally got;
  const wait_group ended;
  ended.add(2);
  crew_.spawn([&] { receive_all(to, got, ended); });
  crew_.spawn([&] { send_all(from, 50, ended); });
  crew_.spawn([=] {
    for (int v : from) to.send(v);
    to.close();
  });
  crew_.join();
  ended.wait();
  EXPECT_EQ(got.in_order(), numbers(50));
}

detached receive_one(channel<int> from, int& got, wait_group ended) {
  got = (co_await async_receive(from)).value_or(-1);
  ended.done();
}
detached send_one(channel<int> to, int value, wait_group ended) {
  co_await async_send(to, value);
  ended.done();
}

WEIR_RULE(coroutine_test, they_are_served_in_turn_among_tasks_and_threads) {
  const channel<int> ch;
  std::vector<int> got(6, -1);
  const wait_group ended;
  for (int i = 0; i < 6; ++i) {
    ended.add();
    int& mine = got[static_cast<std::size_t>(i)];
    if (i % 2 == 0) {
      receive_one(ch, mine, ended);  // it stands in the queue when this returns
    } else {
      crew_.spawn([&mine, ch, ended] {
        mine = ch.receive().value_or(-1);
        ended.done();
      });
    }
    until([&] { return waiting(ch) == i + 1; });
  }
  for (int i = 0; i < 6; ++i) ch.send(i);
  ended.wait();
  EXPECT_EQ(got, numbers(6));

  for (int i = 0; i < 6; ++i) {
    ended.add();
    if (i % 2 == 0) {
      send_one(ch, i, ended);
    } else {
      crew_.spawn([=] {
        ch.send(i);
        ended.done();
      });
    }
    until([&] { return waiting(ch) == i + 1; });
  }
  for (int i = 0; i < 6; ++i) EXPECT_EQ(ch.receive(), i);
  ended.wait();
  crew_.join();
}

// ---- close and cancel ---------------------------------------------------------------------------

detached send_unique(channel<std::unique_ptr<int>> to, bool& threw, wait_group ended) {
  auto mine = std::make_unique<int>(7);
  try {
    co_await async_send(to, std::move(mine));
  } catch (const channel_closed&) {
    threw = mine != nullptr && *mine == 7;
  }
  ended.done();
}

WEIR_RULE(coroutine_test, close_wakes_all_and_senders_keep_their_values) {
  const channel<int> in;
  const channel<std::unique_ptr<int>> out;
  const wait_group ended;
  ended.add(8);
  std::vector<int> got(5, 0);
  bool threw[3] = {};
  for (int& g : got) receive_one(in, g, ended);
  for (bool& t : threw) send_unique(out, t, ended);
  crew_.spawn([=] { in.close(); });
  crew_.spawn([=] { out.close(); });
  crew_.join();
  ended.wait();
  EXPECT_EQ(got, std::vector<int>(5, -1));
  EXPECT_TRUE(threw[0] && threw[1] && threw[2]);
}

detached receive_until(context ctx, channel<int> from, int& got, wait_group ended) {
  got = (co_await async_receive(ctx, from)).value_or(-1);
  ended.done();
}
detached send_until(context ctx, channel<std::unique_ptr<int>> to, bool& kept, wait_group ended) {
  auto mine = std::make_unique<int>(7);
  kept = !co_await async_send(ctx, to, std::move(mine)) && mine != nullptr;
  ended.done();
}

WEIR_RULE(coroutine_test, cancel_wakes_and_nothing_is_lost) {
  const channel<int> in;
  const channel<std::unique_ptr<int>> out;
  const auto [ctx, cancel] = with_cancel(background());
  const wait_group ended;
  ended.add(3);
  int got = 0;
  int nil_got = 0;
  bool kept = false;
  receive_until(ctx, in, got, ended);
  send_until(ctx, out, kept, ended);
  crew_.spawn([cancel = cancel] { cancel(); });
  crew_.join();
  receive_until(ctx, in, nil_got, ended);  // done already
  ended.wait();
  EXPECT_EQ(got, -1);
  EXPECT_EQ(nil_got, -1);
  EXPECT_TRUE(kept);
  EXPECT_EQ(waiting(in) + waiting(out), 0);
  EXPECT_FALSE(in.try_send(1));
  EXPECT_FALSE(out.try_receive());
}

detached nil_receive(context ctx, int& got, wait_group ended) {
  got = (co_await async_receive(ctx, receiver<int>())).value_or(-1);
  ended.done();
}
detached nil_send(context ctx, int& got, wait_group ended) {
  got = co_await async_send(ctx, sender<int>(), 3) ? 1 : -1;
  ended.done();
}

WEIR_RULE(coroutine_test, a_nil_channel_waits_for_the_context) {
  crew_.run([] {
    const auto [ctx, cancel] = with_timeout(background(), 1ms);
    const wait_group ended;
    ended.add(2);
    int got[2] = {};
    nil_receive(ctx, got[0], ended);
    nil_send(ctx, got[1], ended);
    ended.wait();
    EXPECT_EQ(got[0], -1);
    EXPECT_EQ(got[1], -1);
  });
}

detached receive_impatiently(channel<int> from, tally& into, std::uint64_t seed, wait_group ended) {
  std::minstd_rand random(static_cast<std::uint32_t>(seed));
  for (bool open = true; open;) {
    auto [ctx, cancel] = with_cancel(background());
    if (random() % 2 == 0) go([cancel = cancel] { cancel(); });
    if (auto v = co_await async_receive(ctx, from)) {
      into.add(*v);
    } else {
      open = !ctx.cancelled() || !from.closed() || from.size() > 0;
      if (!ctx.cancelled()) break;
    }
  }
  ended.done();
}

WEIR_RULE(coroutine_test, every_value_is_received_exactly_once_whoever_is_cancelled) {
  const int n = under_seeds ? 20 : turns(3000);
  const channel<int> ch{2};
  tally got;
  const wait_group ended;
  for (std::uint64_t i = 0; i < 3; ++i) {
    ended.add();
    crew_.spawn([&, i] { receive_impatiently(ch, got, i + 1, ended); });
  }
  for (int i = 0; i < 2; ++i) {
    crew_.spawn([&, ch] {
      for (int v : ch) got.add(v);
    });
  }
  const wait_group sent;
  sent.add(2);
  for (int half = 0; half < 2; ++half) {
    crew_.spawn([=] {
      for (int i = half; i < n; i += 2) {
        auto [ctx, cancel] = with_cancel(background());
        if (i % 5 == 0) go([cancel = cancel] { cancel(); });
        if (!ch.send(ctx, i)) ch.send(i);
      }
      sent.done();
    });
  }
  sent.wait();
  ch.close();
  crew_.join();
  ended.wait();
  EXPECT_EQ(got.sorted(), numbers(n));
}

// ---- other things to wait for -------------------------------------------------------------------

detached wait_done(context ctx, std::error_code& error, wait_group ended) {
  error = co_await ctx;
  ended.done();
}

WEIR_RULE(coroutine_test, a_context_is_awaited) {
  const auto [ctx, cancel] = with_cancel(background());
  const wait_group ended;
  ended.add(2);
  std::error_code errors[2];
  wait_done(ctx, errors[0], ended);
  crew_.spawn([cancel = cancel] { cancel(); });
  crew_.join();
  wait_done(ctx, errors[1], ended);
  ended.wait();
  EXPECT_EQ(errors[0], errc::cancelled);
  EXPECT_EQ(errors[1], errc::cancelled);
}

detached receive_done(context of, context until, int& got, wait_group ended) {
  const auto v = co_await async_receive(until, of.done());
  got = v ? 1 : -1;
  ended.done();
}

WEIR_RULE(coroutine_test, a_context_is_received_from_until_the_same_is_done) {
  const auto [ctx, cancel] = with_cancel(background());
  const wait_group ended;
  ended.add();
  int got = 0;
  receive_done(ctx, ctx, got, ended);
  crew_.spawn([cancel = cancel] { cancel(); });
  crew_.join();
  ended.wait();
  EXPECT_EQ(got, -1);
}

WEIR_RULE(coroutine_test, two_contexts_are_received_from_until_the_other_is_done) {
  for (int turn = turns(2000); turn > 0; --turn) {
    const auto [a, cancel_a] = with_cancel(background());
    const auto [b, cancel_b] = with_cancel(background());
    const wait_group ended;
    ended.add(2);
    int got[2] = {};
    crew_.spawn([&, a = a, b = b] { receive_done(a, b, got[0], ended); });
    crew_.spawn([&, a = a, b = b] { receive_done(b, a, got[1], ended); });
    crew_.spawn([&, cancel = turn % 2 == 0 ? cancel_a : cancel_b] { cancel(); });
    crew_.join();
    ended.wait();
    EXPECT_EQ(got[0], -1);
    EXPECT_EQ(got[1], -1);
  }
}

detached nap(std::chrono::milliseconds d, int number, tally& woken, wait_group ended) {
  co_await async_sleep(d);
  woken.add(number);
  ended.done();
}
detached nap_until(context ctx, bool& slept, wait_group ended) {
  slept = co_await async_sleep(ctx, 1h);
  ended.done();
}

WEIR_RULE(coroutine_test, sleeps_end_in_the_order_of_their_times) {
  crew_.run([] {
    tally woken;
    const wait_group ended;
    ended.add(4);
    nap(60ms, 2, woken, ended);
    nap(30ms, 1, woken, ended);
    nap(0ms, 0, woken, ended);
    bool slept = true;
    const auto [ctx, cancel] = with_timeout(background(), 1ms);
    nap_until(ctx, slept, ended);
    ended.wait();
    EXPECT_EQ(woken.in_order(), numbers(3));
    EXPECT_FALSE(slept);
  });
}

detached wait_for(wait_group work, int& seen, const std::atomic<int>& finished, wait_group ended) {
  co_await async_wait(work);
  seen = finished;
  ended.done();
}
detached wait_in_vain(context ctx, wait_group work, bool& waited, wait_group ended) {
  waited = co_await async_wait(ctx, work);
  ended.done();
}

WEIR_RULE(coroutine_test, a_wait_group_is_awaited) {
  const wait_group work, never, ended;
  std::atomic<int> finished{0};
  work.add(3);
  never.add();
  ended.add(2);
  int seen = 0;
  bool waited = true;
  const auto [ctx, cancel] = with_cancel(background());
  wait_for(work, seen, finished, ended);
  wait_in_vain(ctx, never, waited, ended);
  for (int i = 0; i < 3; ++i) {
    crew_.spawn([&] {
      ++finished;
      work.done();
    });
  }
  crew_.spawn([cancel = cancel] { cancel(); });
  crew_.join();
  ended.wait();
  EXPECT_EQ(seen, 3);
  EXPECT_FALSE(waited);
}

}  // namespace
