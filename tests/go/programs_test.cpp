// SPDX-License-Identifier: MIT
// Go's own test programs, written anew for Weir from their descriptions.
#include "../support.hpp"

#include <array>
#include <memory>
#include <numeric>

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(go_programs);

WEIR_RULE(go_programs, fifo_daisy_chain) {
  // test/chan/fifo.go: each reads its turn from one shared unbuffered channel.
  const channel<int> values;
  channel<int> in;
  const channel<int> first = in;
  for (int i = 0; i < 10; ++i) {
    const channel<int> out;
    crew_.spawn([=] {
      (void)in.receive();
      EXPECT_EQ(values.receive(), i);
      out.send(1);
    });
    in = out;
  }
  crew_.spawn([=] { first.send(1); });
  for (int i = 0; i < 10; ++i) values.send(i);
  EXPECT_EQ(in.receive(), 1);
  crew_.join();
}

TEST(go_programs_tasks, goroutines_chain_of_ten_thousand) {
  // test/chan/goroutines.go
  const int n = turns(10'000);
  channel<int> right;
  const channel<int> leftmost = right;
  channel<int> left = right;
  for (int i = 0; i < n; ++i) {
    right = channel<int>();
    go([=] { left.send(*right.receive()); });
    left = right;
  }
  go([=] { left.send(1); });
  EXPECT_EQ(leftmost.receive(), 1);
}

WEIR_RULE(go_programs, nonblock_try_operations_meet_a_peer) {
  // test/chan/nonblock.go: one side tries again and again, the other waits.
  for (const int capacity : {0, 1}) {
    const channel<std::string> ch{capacity};
    EXPECT_FALSE(ch.try_receive());
    crew_.spawn([=] { ch.send("there"); });
    std::string got;
    until([&] {
      auto r = ch.try_receive();
      if (r) got = *r;
      return r.has_value();
    });
    EXPECT_EQ(got, "there");
    crew_.join();
    crew_.spawn([=] { EXPECT_EQ(ch.receive(), "back"); });
    until([&] { return ch.try_send("back"); });
    crew_.join();
  }
}

WEIR_RULE(go_programs, sieve_of_tasks) {
  // test/chan/sieve1.go
  auto [ctx, cancel] = with_cancel(background());
  channel<int> numbers;
  crew_.spawn([=, ctx = ctx] {
    for (int i = 2; numbers.send(ctx, i); ++i) {
    }
  });
  const std::array<int, 25> primes{2,  3,  5,  7,  11, 13, 17, 19, 23, 29, 31, 37, 41,
                                   43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97};
  for (const int expected : primes) {
    const int prime = *numbers.receive();
    EXPECT_EQ(prime, expected);
    const channel<int> filtered;
    crew_.spawn([=, ctx = ctx] {
      while (auto i = numbers.receive(ctx)) {
        if (*i % prime != 0 && !filtered.send(ctx, *i)) return;
      }
    });
    numbers = filtered;
  }
  cancel();
  crew_.join();
}

WEIR_RULE(go_programs, multi_consumer_is_the_worker_pool) {
  // TestMultiConsumer: 23 workers, queue and results 69 deep.
  const int n = turns(50'000);
  const std::array<int, 9> primes{2, 3, 5, 7, 11, 13, 17, 19, 23};
  const channel<int> queue{69};
  const channel<int> results{69};
  wait_group workers;
  for (int i = 0; i < 23; ++i) {
    workers.add();
    crew_.spawn([=] {
      for (int v : queue) {
        if (primes[static_cast<std::size_t>(v) % primes.size()] == v) yield();
        results.send(v);
      }
      workers.done();
    });
  }
  std::int64_t expected = 0;
  for (int i = 0; i < n; ++i) expected += primes[static_cast<std::size_t>(i) % primes.size()];
  crew_.spawn([=] {
    for (int i = 0; i < n; ++i) queue.send(primes[static_cast<std::size_t>(i) % primes.size()]);
    queue.close();
    workers.wait();
    results.close();
  });
  std::int64_t sum = 0;
  int count = 0;
  for (int v : results) {
    sum += v;
    ++count;
  }
  EXPECT_EQ(count, n);
  EXPECT_EQ(sum, expected);
  crew_.join();
}

WEIR_RULE(go_programs, pseudo_random_send_sends_both_values) {
  // TestPseudoRandomSend
  for (const int capacity : {0, 100}) {
    const channel<int> ch{capacity};
    std::array<int, 2> seen{};
    crew_.spawn([&, ch] {
      for (int i = 0; i < 100; ++i) ++seen[static_cast<std::size_t>(*ch.receive())];
    });
    for (int i = 0; i < 100; ++i) select(on_send(ch, 1), on_send(ch, 0));
    crew_.join();
    EXPECT_GT(seen[0], 10);
    EXPECT_GT(seen[1], 10);
  }
}

WEIR_RULE(go_programs, select_with_a_duplicate_channel_leaves_no_stale_waiter) {
  // TestSelectDuplicateChannel
  const channel<int> c, d, e;
  crew_.spawn([=] {
    (void)select(on_receive(c), on_receive(c), on_receive(d));
    e.send(9);
  });
  crew_.spawn([=] {
    d.send(7);
    EXPECT_EQ(e.receive(), 9);
  });
  crew_.join();
  crew_.spawn([=] { EXPECT_EQ(c.receive(), 8); });
  c.send(8);  // must wake that receiver, not the select that is gone
  crew_.join();
}

WEIR_RULE(go_programs, ken_chan1_every_mark_passes_once) {
  // test/ken/chan1.go: one sender of marks, ten receivers by select.
  const int n = turns(1000);
  const channel<int> marks{2};
  const channel<int> nobody;
  std::vector<std::atomic<int>> state(static_cast<std::size_t>(n));
  for (int r = 0; r < 10; ++r) {
    crew_.spawn([&, marks, nobody] {
      for (bool open = true; open;) {
        select(on_receive(nobody), on_receive(marks, [&](std::optional<int> m) {
                 if (m) {
                   EXPECT_EQ(state[static_cast<std::size_t>(*m)].fetch_add(1), 1);
                 } else {
                   open = false;
                 }
               }));
      }
    });
  }
  for (int m = 0; m < n; ++m) {
    EXPECT_EQ(state[static_cast<std::size_t>(m)].fetch_add(1), 0);
    select(on_send(marks, m));
  }
  marks.close();
  crew_.join();
  for (const auto& s : state) EXPECT_EQ(s, 2);
}

WEIR_RULE(go_programs, channels_of_channels) {
  // test/chan/sendstmt.go, and the request with its own reply channel
  const channel<channel<int>> requests;
  crew_.spawn([=] {
    for (const auto& reply : requests) reply.send(2);
  });
  for (int i = 0; i < 100; ++i) {
    const channel<int> reply;
    requests.send(reply);
    EXPECT_EQ(reply.receive(), 2);
  }
  requests.close();
  crew_.join();
}

}  // namespace
