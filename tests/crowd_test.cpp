// SPDX-License-Identifier: MIT
// Who wakes very many tasks at once lets them run while their stacks are in the cache.
#include <atomic>

#include "support.hpp"

namespace {

using namespace weir_test;
using weir::channel;

/// `n` tasks that each do `op` on an unbuffered channel wait, and this one does the opposite `n`
/// times. How many of them had gone on by then?
template <class Op, class Opposite>
int gone_on(int n, Op op, Opposite opposite) {
  return on_virtual_time([&] {
    const channel<int> ch;
    const weir::wait_group all;
    std::atomic<int> on{0};
    for (int i = 0; i < n; ++i) {
      all.go([&] {
        op(ch);
        ++on;
      });
    }
    weir::yield();
    for (int i = 0; i < n; ++i) opposite(ch);
    const int by_then = on;
    all.wait();
    EXPECT_EQ(on, n);
    return by_then;
  });
}

const auto send = [](const channel<int>& ch) { ch.send(1); };
const auto receive = [](const channel<int>& ch) { (void)ch.receive(); };
const auto try_send = [](const channel<int>& ch) { EXPECT_TRUE(ch.try_send(1)); };

constexpr int very_many = 4500;

TEST(crowd_test, a_sender_that_has_woken_thousands_lets_them_run) {
  EXPECT_GT(gone_on(very_many, receive, send), 4000);
}

TEST(crowd_test, a_receiver_that_has_woken_thousands_lets_them_run) {
  EXPECT_GT(gone_on(very_many, send, receive), 4000);
}

TEST(crowd_test, what_never_waits_does_not_do_so_for_a_crowd) {
  EXPECT_EQ(gone_on(very_many, receive, try_send), 0);
}

TEST(crowd_test, who_wakes_hundreds_goes_on) { EXPECT_EQ(gone_on(500, receive, send), 0); }

}  // namespace
