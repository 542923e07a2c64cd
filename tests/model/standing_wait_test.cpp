// SPDX-License-Identifier: MIT
// The handshake of a standing wait (src/sync/standing_wait.hpp) under every order of its steps and
// every value that a weak memory may show them; see protocols_test.cpp.
#include "model/expectations.hpp"
#include "model/modelled_source.hpp"

namespace {

using namespace weak_memory;
using modelled::weir::detail::operation;
using modelled::weir::detail::spin_lock;
using standing_wait_model_test = weak_memory_test;

enum standing_flaw { none, looks_first, parks_for_nobody };

/// A task waits until its context is done; a partner serves it once, if it finds it; and somebody
/// cancels. What wait_here(), standing_wait::begin() and cancel_node::cancel() do, without the
/// queues: a node in one is a flag here.
struct standing {
  static constexpr int threads = 3;
  static constexpr int closed_flag = 0, woken_word = 1, winner = 3;  // in the order of their making
  enum : int { served, done };
  weak_memory::atomic<bool> closed{false};
  weak_memory::atomic<std::uint32_t> woken{0};
  weak_memory::atomic<bool> parked{true};  // the task's, which runs again now
  operation op{true};
  spin_lock m;  // the channel's; guards:
  plain<bool> linked{false};
  plain<int> value{0}, cause{0};
  bool stopped = false;

  standing() { (void)op.claim(served); }  // not armed

  void thread(int me) {
    if (me == 0) {
      parked.store(false, relaxed);  // run_next()
      std::uint32_t wakes = 0;
      while (wait(wakes)) check(value == 1, "served nothing");
      check(cause == 1, "cancelled for nothing");
      stopped = true;
    } else if (me == 1) {
      serve();
    } else {
      cancel();
    }
  }
  void end() const { check(stopped, "it waits for ever"); }

  bool begin() {
    if (flaw() == looks_first) {
      const bool open = !closed.load(acquire);
      op.arm();
      return open;
    }
    op.arm();
    return !closed.load(acquire);
  }
  void park(std::uint32_t& wakes) {
    ++wakes;
    while (woken.load(acquire) < wakes) spin();
  }
  bool wait(std::uint32_t& wakes) {
    m.lock();
    if (!begin()) {
      m.unlock();
      if (!op.claim(done) || flaw() == parks_for_nobody) park(wakes);
      return false;
    }
    linked = true;
    m.unlock();
    park(wakes);
    if (op.winner() == served) return true;
    m.lock();
    linked = false;
    m.unlock();
    return false;
  }
  void serve() {
    m.lock();
    bool claimed = false;
    if (linked) {
      linked = false;
      claimed = op.claim(served);
      if (claimed) value = 1;
    }
    m.unlock();
    if (claimed) woken.fetch_add(1, release);
  }
  void cancel() {
    cause = 1;
    closed.store(true, release);
    weak_memory::the_world.process_barrier();
    if (!op.claim(done)) return;
    check(!parked.load(acquire), "found as it was before");  // ready(), if it has not parked since
    woken.fetch_add(1, release);
  }
};

TEST_F(standing_wait_model_test, a_cancel_at_any_time_ends_the_wait_and_wakes_once) {
  expect_sound<standing>();
  expect_caught<standing>({
      {"no process barrier", lost, {{access::barrier}}},
      {"the task looks before it arms", lost, {}, looks_first},
      {"the task parks for its own claim", lost, {}, parks_for_nobody},
      {"relaxed arm", "found as it was before", {{access::store, relaxed, standing::winner}}},
      {"relaxed close", race, {{access::store, relaxed, standing::closed_flag}}},
      {"relaxed look whether it is closed", race, {{access::load, relaxed, standing::closed_flag}}},
      {"relaxed wake", race, {{access::rmw, relaxed, standing::woken_word}}},
  });
}

}  // namespace
