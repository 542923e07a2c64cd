// SPDX-License-Identifier: MIT
// Rules 47 to 55: what orders what. Plain variables that only Weir's words keep apart; the values
// are asserted, and ThreadSanitizer must be silent. race_probe.cpp is the other half.
#include "../support.hpp"

#include <array>
#include <mutex>

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(memory_order);

/// Each turn: `write` is done by another, then `read` here; `by` brings the order.
int rounds() { return turns(200); }

WEIR_RULE(memory_order, r47_a_send_comes_before_the_end_of_its_receive) {
  for (const int capacity : {0, 1, 4}) {
    for (int i = 0; i < rounds(); ++i) {
      const channel<int> ch{capacity};
      int plain = 0;
      crew_.spawn([&, ch] {
        plain = 1;
        ch.send(0);
      });
      (void)ch.receive();
      ASSERT_EQ(plain, 1);
      crew_.join();
    }
  }
}

WEIR_RULE(memory_order, r47_also_of_a_sender_that_was_blocked_behind_a_full_buffer) {
  for (int i = 0; i < rounds(); ++i) {
    const channel<int> ch{1};
    ch.send(-1);
    int plain = 0;
    crew_.spawn([&, ch] {
      plain = 1;
      ch.send(0);
    });
    while (ch.receive() != 0) {
    }
    ASSERT_EQ(plain, 1);
    crew_.join();
  }
}

WEIR_RULE(memory_order, r47_r55_in_select_as_well) {
  for (int i = 0; i < rounds(); ++i) {
    const channel<int> ch;
    const channel<int> other;
    int plain = 0;
    crew_.spawn([&, ch, other] {
      plain = 1;
      select(on_send(ch, 0), on_receive(other));
    });
    select(on_receive(other), on_receive(ch));
    ASSERT_EQ(plain, 1);
    crew_.join();
  }
}

WEIR_RULE(memory_order, r48_a_close_comes_before_whatever_reports_it) {
  for (int form = 0; form < 5; ++form) {
    for (int i = 0; i < rounds(); ++i) {
      const channel<int> ch{form % 2};
      int plain = 0;
      crew_.spawn([&, ch] {
        plain = 1;
        ch.close();
      });
      switch (form) {
        case 0: (void)ch.receive(); break;
        case 1: until([&] { return ch.try_receive().closed(); }); break;
        case 2: select(on_receive(ch), on_receive(receiver<int>{})); break;
        case 3: until([&] { return ch.closed(); }); break;
        default:
          for (const int v : ch) ADD_FAILURE() << v;
      }
      ASSERT_EQ(plain, 1);
      crew_.join();
    }
  }
}

WEIR_RULE(memory_order, r49_a_receive_comes_before_the_end_of_an_unbuffered_send) {
  for (int i = 0; i < rounds(); ++i) {
    const channel<int> ch;
    int plain = 0;
    crew_.spawn([&, ch] {
      plain = 1;
      (void)ch.receive();
    });
    if (i % 2 == 0) {
      ch.send(0);
    } else {
      select(on_send(ch, 0), on_receive(receiver<int>{}));
    }
    ASSERT_EQ(plain, 1);
    crew_.join();
  }
}

WEIR_RULE(memory_order, r50_a_channel_of_one_is_a_mutex_and_of_three_a_semaphore) {
  const channel<int> lock{1};
  int plain = 0;
  const int n = std::min(rounds(), 100);
  for (int t = 0; t < 3; ++t) {
    crew_.spawn([&, lock] {
      for (int i = 0; i < n; ++i) {
        if (i % 2 == 0) {
          lock.send(1);
        } else {
          select(on_send(lock, 1), on_receive(receiver<int>{}));
        }
        ++plain;
        (void)lock.receive();
      }
    });
  }
  crew_.join();
  EXPECT_EQ(plain, 3 * n);

  const channel<int> places{3};
  std::array<int, 4> done{};
  for (int i = 0; i < 3; ++i) places.send(1);
  crew_.spawn([&, places] {
    for (int k = 0; k < 4; ++k) {
      done[static_cast<std::size_t>(k)] = 1;
      (void)places.receive();
    }
  });
  for (int k = 0; k < 4; ++k) {
    places.send(1);  // the (k + 4)-th, after the (k + 1)-th receive
    ASSERT_EQ(done[static_cast<std::size_t>(k)], 1);
  }
  crew_.join();
}

WEIR_RULE(memory_order, r52_a_close_beside_a_send_is_defined) {
  for (int i = 0; i < rounds(); ++i) {
    const channel<int> ch{1};
    std::atomic<int> sent{0};
    crew_.spawn([&, ch] {
      try {
        ch.send(1);
        ++sent;
      } catch (const channel_closed&) {
      }
    });
    ch.close();
    crew_.join();
    ASSERT_EQ(ch.receive().has_value(), sent == 1) << "delivered, or refused";
  }
}

WEIR_RULE(memory_order, r53_what_is_before_go_is_visible_in_the_task) {
  for (int i = 0; i < rounds(); ++i) {
    int plain = 1;
    crew_.spawn([&] { EXPECT_EQ(plain, 1); });
    crew_.join();
  }
}

WEIR_RULE(memory_order, r54_every_done_comes_before_every_wait_that_it_releases) {
  for (int i = 0; i < rounds(); ++i) {
    const wait_group wg;
    wg.add(3);
    std::array<int, 3> plain{};
    for (std::size_t k = 0; k < 3; ++k) {
      crew_.spawn([&, wg, k] {
        plain[k] = 1;
        wg.done();
      });
    }
    for (int w = 0; w < 2; ++w) {
      crew_.spawn([&, wg] {
        wg.wait();
        EXPECT_EQ(plain[0] + plain[1] + plain[2], 3);
      });
    }
    wg.wait();
    ASSERT_EQ(plain[0] + plain[1] + plain[2], 3);
    crew_.join();
  }
}

WEIR_RULE(memory_order, r54_a_group_that_is_reused_orders_each_turn) {
  const wait_group wg;
  int plain = 0;
  for (int i = 0; i < std::min(rounds(), 50); ++i) {
    wg.add();
    crew_.spawn([&, wg] {
      ++plain;
      wg.done();
    });
    wg.wait();
    ASSERT_EQ(plain, i + 1);
  }
  crew_.join();
}

WEIR_RULE(memory_order, mutex_semaphore_and_once_order) {
  const mutex m;
  const semaphore s{1};
  const once first;
  int under_mutex = 0;
  int under_semaphore = 0;
  int by_once = 0;
  const int n = std::min(rounds(), 50);
  for (int t = 0; t < 3; ++t) {
    crew_.spawn([&, m, s, first] {
      for (int i = 0; i < n; ++i) {
        m.lock();
        ++under_mutex;
        m.unlock();
        s.acquire();
        ++under_semaphore;
        s.release();
      }
      first.call([&] { by_once = 1; });
      EXPECT_EQ(by_once, 1);
    });
  }
  crew_.join();
  EXPECT_EQ(under_mutex, 3 * n);
  EXPECT_EQ(under_semaphore, 3 * n);
}

WEIR_RULE(memory_order, what_is_before_a_cancel_is_visible_to_whoever_sees_it) {
  for (int form = 0; form < 4; ++form) {
    for (int i = 0; i < rounds(); ++i) {
      auto [ctx, cancel] = with_cancel(background());
      int plain = 0;
      crew_.spawn([&, cancel = cancel] {
        plain = 1;
        cancel();
      });
      switch (form) {
        case 0: (void)ctx.done().receive(); break;
        case 1: until([&, ctx = ctx] { return ctx.cancelled(); }); break;
        case 2: (void)receiver<int>{}.receive(ctx); break;
        default: select(on_done(ctx), on_receive(receiver<int>{}));
      }
      ASSERT_EQ(plain, 1);
      crew_.join();
    }
  }
}

WEIR_RULE(memory_order, what_a_call_has_done_is_visible_after_it) {
  for (int i = 0; i < std::min(rounds(), 50); ++i) {
    int plain = 0;
    crew_.run([&] {
      blocking([&] { plain = 1; });
      EXPECT_EQ(plain, 1);
      plain = 2;
    });
    ASSERT_EQ(plain, 2);
  }
}

}  // namespace
