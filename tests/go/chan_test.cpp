// SPDX-License-Identifier: MIT
// Go's doubleselect.go, select2.go, ken/chan.go and TestChan, written anew from what they do.
#include "../support.hpp"

#include <array>
#include <set>

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(go_chan);

WEIR_RULE(go_chan, r18_r39_doubleselect_sends_each_number_once) {
  const int n = under_seeds ? 12 : turns(20'000);
  std::array<channel<int>, 4> out;
  const channel<int> merged;
  crew_.spawn([=] {
    for (int i = 0; i < n; ++i) {
      select(on_send(out[0], i), on_send(out[1], i), on_send(out[2], i), on_send(out[3], i));
    }
    for (const auto& ch : out) ch.close();
  });
  const wait_group forwarders;
  for (const auto& ch : out) {
    forwarders.add();
    crew_.spawn([=] {
      for (const int v : ch) merged.send(v);
      forwarders.done();
    });
  }
  crew_.spawn([=] {
    forwarders.wait();
    merged.close();
  });
  std::set<int> seen;
  for (const int v : merged) ASSERT_TRUE(seen.insert(v).second) << v << " came twice";
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(n));
  crew_.join();
}

/// Counts what is alive, so that growth shows.
struct tracked {
  static inline std::atomic<int> alive{0};
  tracked() { ++alive; }
  tracked(const tracked&) { ++alive; }
  tracked(tracked&&) noexcept { ++alive; }
  tracked& operator=(const tracked&) = default;
  tracked& operator=(tracked&&) noexcept = default;
  ~tracked() { --alive; }
};

WEIR_RULE(go_chan, r38_select2_leaves_nothing_behind_however_often) {
  const channel<tracked> in;
  const channel<tracked> never;
  const int n = under_seeds ? 10 : turns(20'000);
  crew_.spawn([=] {
    for (int i = 0; i < n; ++i) select(on_receive(in), on_receive(never));
  });
  for (int i = 0; i < n; ++i) {
    in.send({});
    const std::lock_guard lock(never.state()->lock);
    std::size_t waiting = 0;
    for (auto* w = never.state()->receivers.front(); w != nullptr; w = w->next) ++waiting;
    ASSERT_LE(waiting, 1U) << "stale waiters pile up";
  }
  crew_.join();
  EXPECT_EQ(tracked::alive, 0);
}

/// Four channels, each with its own numbers: whatever way they go, each arrives in its order.
struct lanes {
  explicit lanes(int capacity) {
    for (auto& ch : channels) ch = channel<int>{capacity};
  }
  std::array<channel<int>, 4> channels;
};

/// One side of ken/chan.go's engine: sends n numbers into each channel, by one select over them.
void send_all(const lanes& l, int n) {
  std::array<int, 4> next{};
  std::array<sender<int>, 4> to;
  for (std::size_t i = 0; i < 4; ++i) to[i] = l.channels[i];
  for (int left = 4 * n; left > 0; --left) {
    std::vector<select_case> cases;
    cases.reserve(4);
    for (std::size_t i = 0; i < 4; ++i) cases.emplace_back(on_send(to[i], next[i]));
    const std::size_t chosen = select(std::span(cases));
    if (++next[chosen] == n) to[chosen] = {};
  }
}

/// The other side; both ends' selects meet in every combination.
void receive_all(const lanes& l, int n) {
  std::array<int, 4> next{};
  std::array<receiver<int>, 4> from;
  for (std::size_t i = 0; i < 4; ++i) from[i] = l.channels[i];
  for (int left = 4 * n; left > 0; --left) {
    std::vector<select_case> cases;
    cases.reserve(4);
    for (std::size_t i = 0; i < 4; ++i) {
      cases.emplace_back(
          on_receive(from[i], [&, i](std::optional<int> v) { EXPECT_EQ(v, next[i]); }));
    }
    const std::size_t chosen = select(std::span(cases));
    if (++next[chosen] == n) from[chosen] = {};
  }
}

WEIR_RULE(go_chan, r8_r41_ken_chan_selects_and_plain_operations_meet_in_every_way) {
  for (const int capacity : {0, 1, 10, 100}) {
    const int n = under_seeds ? 3 : turns(300);
    for (const bool select_sends : {false, true}) {
      for (const bool select_receives : {false, true}) {
        const lanes l(capacity);
        if (select_sends) {
          crew_.spawn([=] { send_all(l, n); });
        } else {
          for (const auto& ch : l.channels) {
            crew_.spawn([=] {
              for (int i = 0; i < n; ++i) ch.send(i);
            });
          }
        }
        if (select_receives) {
          crew_.spawn([=] { receive_all(l, n); });
        } else {
          for (const auto& ch : l.channels) {
            crew_.spawn([=] {
              for (int i = 0; i < n; ++i) EXPECT_EQ(ch.receive(), i);
            });
          }
        }
        crew_.join();
      }
    }
  }
}

void one_capacity(crew& crew_, int capacity) {
  {
    const channel<int> ch{capacity};
    EXPECT_TRUE(ch.try_receive().empty());
    std::atomic<bool> received{false};
    crew_.spawn([&, ch] {
      (void)ch.receive();
      received = true;
    });
    EXPECT_FALSE(received);
    ch.send(0);
    crew_.join();
  }
  {
    const channel<int> ch{capacity};
    for (int i = 0; i < capacity; ++i) ch.send(i);
    EXPECT_FALSE(ch.try_send(0));
    EXPECT_EQ(ch.size(), static_cast<std::size_t>(capacity));
    EXPECT_EQ(ch.capacity(), static_cast<std::size_t>(capacity));
    ch.close();
    for (int i = 0; i < capacity; ++i) ASSERT_EQ(ch.receive(), i);
    EXPECT_FALSE(ch.receive());
  }
  {
    const channel<int> ch{capacity};
    crew_.spawn([=] { EXPECT_FALSE(ch.receive()) << "close unblocks it"; });
    ch.close();
    crew_.join();
  }
  {
    const channel<int> ch{capacity};
    crew_.spawn([=] {
      for (int i = 0; i < 20; ++i) ch.send(i);
    });
    for (int i = 0; i < 20; ++i) ASSERT_EQ(ch.receive(), i);
    crew_.join();
  }
}

WEIR_RULE(go_chan, r8_r10_r11_r22_test_chan_at_every_capacity) {
  const int most = under_seeds ? 3 : std::max(turns(60), 8);
  for (int capacity = 0; capacity < most; ++capacity) one_capacity(crew_, capacity);
}

}  // namespace
