// SPDX-License-Identifier: MIT
// The checker itself, by the classic litmus tests: what a weak memory allows is found, what it
// forbids is not.
#include "model/expectations.hpp"

namespace {

using namespace weak_memory;
using word = weak_memory::atomic<std::uint32_t>;
using flag = weak_memory::atomic<bool>;

struct store_buffering {
  static constexpr int threads = 2;
  flag x{false}, y{false};
  bool found[2] = {};
  void thread(int me) {
    (me == 0 ? x : y).store(true, seq_cst);
    if (flaw() != 0 && me == 0) weak_memory::the_world.process_barrier();
    found[me] = (me == 0 ? y : x).load(seq_cst);
  }
  void end() const { check(found[0] || found[1], "both too early"); }
};

TEST_F(weak_memory_test, litmus_store_buffering_needs_sequential_consistency_or_a_barrier) {
  expect_sound<store_buffering>();
  expect_sound<store_buffering>({.name = "relaxed with a process barrier on one side",
                                 .failure = "",
                                 .weaker = {{access::store, relaxed}, {access::load, relaxed}},
                                 .flaw = 1});
  expect_caught<store_buffering>(
      {{"relaxed", "early", {{access::store, relaxed}, {access::load, relaxed}}},
       {"acquire and release", "early", {{access::store, release}, {access::load, acquire}}},
       {"only the stores", "early", {{access::load, acquire}}},
       {"only the loads", "early", {{access::store, release}}},
       {"one load", "early", {{access::load, acquire, any, 1}}}});
}

struct message_passing {
  static constexpr int threads = 3;
  word turn{0};
  plain<int> data{0};
  void thread(int me) {
    if (me == 0) {
      data = 1;
      turn.store(1, release);
    } else if (me == 1) {  // in the middle of a release sequence, if it comes second
      if (flaw() == 0) {
        turn.fetch_add(1, relaxed);
      } else if (turn.load(relaxed) == 1) {
        turn.store(2, relaxed);
      }
    } else if (turn.load(acquire) == 2) {
      check(data == 1, "stale");
    }
  }
  void end() {}
};

TEST_F(weak_memory_test, litmus_release_sequences_pass_messages) {
  expect_sound<message_passing>();
  expect_caught<message_passing>({{"relaxed store", race, {{access::store, relaxed}}},
                                  {"relaxed load", race, {{access::load, relaxed}}},
                                  {"a store ends the sequence", race, {}, 1}});
}

struct coherence {
  static constexpr int threads = 3;
  word x{0}, copy{0};
  void thread(int me) {
    if (me == 0) {
      x.store(1, relaxed);
      x.store(2, relaxed);
    } else if (me == 1) {
      copy.store(x.load(relaxed), release);
    } else {
      const auto first = flaw() == 0 ? copy.load(acquire) : copy.load(relaxed);
      const auto second = x.load(relaxed);
      check(second >= first, "back in time");
      check(x.load(relaxed) >= second, "back in time");
    }
  }
  void end() {}
};

TEST_F(weak_memory_test, litmus_one_location_never_goes_back) {
  expect_sound<coherence>();
  expect_caught<coherence>({{"no order with another location", "back in time", {}, 1}});
}

struct independent_readers {
  static constexpr int threads = 4;
  flag x{false}, y{false};
  bool late[2] = {};
  void thread(int me) {
    if (me < 2) return (me == 0 ? x : y).store(true, seq_cst);
    const bool first = (me == 2 ? x : y).load(seq_cst);
    const bool second = (me == 2 ? y : x).load(seq_cst);
    late[me - 2] = first && !second;
  }
  void end() const { check(!late[0] || !late[1], "no single order"); }
};

TEST_F(weak_memory_test, litmus_independent_readers_agree_only_under_sequential_consistency) {
  expect_sound<independent_readers>();
  expect_caught<independent_readers>(
      {{"acquire loads", "no single order", {{access::load, acquire}}}});
}

}  // namespace
