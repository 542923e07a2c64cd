// SPDX-License-Identifier: MIT
// Weir's lock-free protocols under every order of their steps and every value that a weak memory
// may show them; see weak_memory.hpp. Each is explored as it is, and again with single orders
// weakened or steps left out: a fault that the checker does not find would mean that it, or the
// scenario, sees nothing.
//
// What modelled_source.hpp has is the source's own text. What is tied to threads and carriers is
// copied here, with the name of the function that it must follow.
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#include "model/expectations.hpp"
#include "model/modelled_source.hpp"
#include "runtime/sanitizer.hpp"

namespace {

using namespace weak_memory;
using modelled::weir::detail::gate;
using modelled::weir::detail::operation;
using modelled::weir::detail::shared_object;
using modelled::weir::detail::spin_lock;
using word = weak_memory::atomic<std::uint32_t>;
using flag = weak_memory::atomic<bool>;

using protocols_test = weak_memory_test;

// ---- spin_lock ----------------------------------------------------------------------------------

struct counting_under_a_lock {
  static constexpr int threads = 3;
  spin_lock lock;
  plain<int> n{0};
  void thread(int) {
    lock.lock();
    n = n + 1;
    lock.unlock();
  }
  void end() { check(n == threads, "a count is missing"); }
};

/// channel_core's ring, without its waiters. Instead, hints without order say when it pays to take
/// the lock: all order comes from that.
template <unsigned Senders, unsigned Values, unsigned Slots>
struct ring {
  static constexpr int threads = Senders + 1;
  static_assert(Senders == 1 || Senders * Values <= Slots);  // room is waited for by one only
  spin_lock lock;
  word sent{0}, taken{0};  // the hints, written under the lock
  plain<unsigned> slots[Slots], head{0}, count{0};
  unsigned sum = 0;
  void thread(int me) {
    for (unsigned i = 0; i < (me == 0 ? Senders * Values : Values); ++i) {
      if (me == 0) {
        while (sent.load(relaxed) <= i) spin();
        receive();
      } else {
        while (taken.load(relaxed) + Slots <= i) spin();
        send(i + 1);
      }
    }
  }
  void end() { check(sum == Senders * Values * (Values + 1) / 2 && count == 0, "a value is lost"); }
  void send(unsigned value) {
    lock.lock();
    check(count < Slots, "overflow");
    slots[(head + count) % Slots] = value;
    count = count + 1;
    sent.store(sent.load(relaxed) + 1, relaxed);
    lock.unlock();
  }
  void receive() {
    lock.lock();
    check(count > 0, "underflow");
    sum += slots[head];
    head = (head + 1) % Slots;
    count = count - 1;
    taken.store(taken.load(relaxed) + 1, relaxed);
    lock.unlock();
  }
};

TEST_F(protocols_test, spin_lock_excludes_and_publishes) {
  const std::vector<variant> faulty{{"relaxed lock", race, {{access::rmw, relaxed}}},
                                    {"relaxed unlock", race, {{access::store, relaxed}}}};
  expect_sound<counting_under_a_lock>();
  expect_caught<counting_under_a_lock>(faulty);
  expect_sound<ring<2, 1, 2>>();
  expect_caught<ring<2, 1, 2>>(faulty);
  expect_sound<ring<1, 2, 1>>();
  expect_caught<ring<1, 2, 1>>(faulty);
}

/// A lock that becomes biased at the second time in a row. `Before` times the first thread had it
/// before the others came; then they take it so many times.
template <int Before, int First, int Second>
struct counting_under_a_biased_lock {
  static constexpr int threads = 2;
  static constexpr int owner = 0, held = 1, inside = 2;  // of the first bias
  spin_lock lock{1, 1};
  plain<int> n{0};
  counting_under_a_biased_lock() { count(Before); }
  void thread(int me) { count(me == 0 ? First : Second); }
  void end() { check(n == Before + First + Second, "a count is missing"); }
  void count(int times) {
    for (int i = 0; i < times; ++i) {
      lock.lock();
      n = n + 1;
      lock.unlock();
    }
  }
};

TEST_F(protocols_test, a_biased_lock_excludes_and_publishes) {
  using one_owner = counting_under_a_biased_lock<0, 3, 1>;
  expect_sound<one_owner>();
  expect_sound<counting_under_a_biased_lock<0, 2, 2>>();
  // The second becomes the owner while the first is late with its look at who is. (A hundred
  // thousand runs of one thread: two minutes for AddressSanitizer, which has nothing to see here.)
  // And the first comes back after that, to the flag that it had.
  if (!weir::detail::sanitized) {
    expect_sound<counting_under_a_biased_lock<2, 1, 2>>();
    expect_sound<counting_under_a_biased_lock<2, 2, 2>>();
  }
  expect_caught<one_owner>({
      {"no process barrier", race, {{access::barrier}}},
      {"relaxed unlock by the owner", race, {{access::store, relaxed, one_owner::inside}}},
      {"relaxed look at inside_", race, {{access::load, relaxed, one_owner::inside}}},
      {"relaxed unlock of held_", race, {{access::store, relaxed, one_owner::held}}},
      {"relaxed taking of held_", race, {{access::rmw, relaxed, one_owner::held}}},
  });
}

// ---- strand: park and wake ----------------------------------------------------------------------

enum park_flaw { none, never_wakes, stores_instead_of_cas };

/// strand.cpp: what a parked thread's word says.
struct thread_word {
  static constexpr std::uint32_t waiting = 0, woken = 1, sleeping = 2;
  word state{waiting};

  void park() {  // park_thread(), with one look for them all
    if (state.load(acquire) == woken) return;
    if (flaw() == stores_instead_of_cas) {
      state.store(sleeping, relaxed);
    } else {
      std::uint32_t expected = waiting;
      if (!state.compare_exchange_strong(expected, sleeping, acquire, acquire) &&
          expected == woken) {
        return;
      }
    }
    do {
      state.futex_wait(sleeping);
    } while (state.load(acquire) != woken);
  }
  void wake() {  // strand::wake()
    if (state.exchange(woken, release) == sleeping && flaw() != never_wakes) state.futex_wake();
  }
};

struct parking {
  static constexpr int threads = 2;
  thread_word w;
  plain<int> result{0};
  void thread(int me) {
    if (me == 0) {
      result = 1;
      w.wake();
    } else {
      w.park();
      check(result == 1, "woken for nothing");
    }
  }
  void end() {}
};

/// The same word for one operation after another, as strand::current() does. A hint without order
/// says when there is something to claim.
struct parking_twice {
  static constexpr int threads = 3;
  thread_word w;
  spin_lock lock;
  word hint{0};
  plain<unsigned> linked{0}, result{0};  // the operation in the queue, and the last one's result
  void thread(int me) {
    if (me != 0) return serve(static_cast<unsigned>(me));
    for (unsigned op = 1; op <= 2; ++op) {
      w.state.store(thread_word::waiting, relaxed);
      lock.lock();
      linked = op;
      hint.store(op, relaxed);
      lock.unlock();
      w.park();
      check(result == op, "woken for another operation");
    }
  }
  void end() {}
  void serve(unsigned op) {
    while (hint.load(relaxed) < op) spin();
    lock.lock();
    check(linked == op, "served twice");
    lock.unlock();
    result = op;
    w.wake();
  }
};

TEST_F(protocols_test, parking_loses_no_wake_up_and_sees_what_was_done) {
  expect_sound<parking>();
  expect_caught<parking>({{"relaxed wake", race, {{access::rmw, relaxed, any, 0}}},
                          {"relaxed looks", race, {{access::load, relaxed}}},
                          {"relaxed failing exchange", race, {{access::cas_failure, relaxed}}},
                          {"the waker does not wake a sleeper", lost, {}, never_wakes},
                          {"sleeping is stored, not exchanged", lost, {}, stores_instead_of_cas}});
  expect_sound<parking_twice>();
  expect_caught<parking_twice>({{"relaxed wake", race, {{access::rmw, relaxed, 0}}},
                                {"relaxed unlock", "", {{access::store, relaxed, 2}}}});
}

// ---- operation: claim and winner ----------------------------------------------------------------

struct claims {
  static constexpr int threads = 3;
  operation op{flaw() == 0};  // the flaw: each looks first, and then stores without an exchange
  plain<int> offer[2];
  plain<int> prize{0};
  void thread(int me) {
    if (me < 2) {
      offer[me] = me + 1;
      if (flaw() != 0 && op.winner() >= 0) return;
      if (op.claim(me)) prize = me + 1;  // two winners would race
      return;
    }
    while (op.winner() < 0) spin();
    check(offer[op.winner()] == op.winner() + 1, "stale offer");
  }
  void end() { check(prize == op.winner() + 1, "another prize"); }
};

struct unshared_claim {
  static constexpr int threads = 2;
  operation op{false};
  plain<int> offer{0};
  void thread(int me) {
    if (me == 0) {
      offer = 1;
      check(op.claim(0), "lost against nobody");
    } else if (op.winner() == 0) {
      check(offer == 1, "stale offer");
    }
  }
  void end() {}
};

TEST_F(protocols_test, exactly_one_claim_wins_and_its_owner_sees_the_offer) {
  expect_sound<claims>();
  expect_sound<unshared_claim>();
  expect_caught<claims>({{"relaxed claim", race, {{access::rmw, relaxed}}},
                         {"acquire claim", race, {{access::rmw, acquire}}},
                         {"relaxed winner", race, {{access::load, relaxed}}},
                         {"a look and a store for the exchange", race, {}, 1}});
  expect_caught<unshared_claim>({{"relaxed claim of one", race, {{access::store, relaxed}}},
                                 {"relaxed winner of one", race, {{access::load, relaxed}}}});
}

// ---- gate ---------------------------------------------------------------------------------------

struct raid {
  static constexpr int threads = 2;
  static constexpr int busy = 0, wanted = 1, owner = 0;
  gate g;
  plain<int> count{0};
  int raids = 0;
  void thread(int me) {
    for (int i = 0; i < 2; ++i) {
      if (me == owner) {
        g.enter();
        count = count + 1;
        g.leave();
      } else if (g.try_enter_outside()) {
        count = count + 10;
        g.leave_outside();
        ++raids;
      }
    }
  }
  void end() { check(count == 2 + 10 * raids, "a change is lost"); }
};

TEST_F(protocols_test, gate_keeps_the_owner_and_outsiders_apart) {
  expect_sound<raid>();
  expect_caught<raid>({
      {"no process barrier", race, {{access::barrier}}},
      {"relaxed leave()", race, {{access::store, relaxed, raid::busy}}},
      {"relaxed look at busy_", race, {{access::load, relaxed, raid::busy}}},
      {"relaxed look at busy_, and no barrier",
       race,
       {{access::load, relaxed, raid::busy}, {access::barrier}}},
      {"relaxed look at wanted_", race, {{access::load, relaxed, raid::wanted}}},
      {"relaxed leave_outside()", race, {{access::store, relaxed, raid::wanted}}},
  });
}

/// runtime_core::begin_shutdown() against task_finished(): the same barrier, another handshake.
struct draining {
  static constexpr int threads = 2;
  flag closing{false}, finished{false};
  bool reported = false, seen = false;
  void thread(int me) {
    if (me == 0) {
      finished.store(true, relaxed);
      reported = closing.load(relaxed);
    } else {
      closing.store(true, seq_cst);
      weak_memory::the_world.process_barrier();
      seen = finished.load(relaxed);
    }
  }
  void end() const { check(reported || seen, "the last task ends unnoticed"); }
};

TEST_F(protocols_test, the_end_of_the_last_task_is_noticed) {
  expect_sound<draining>();
  expect_caught<draining>({{"no process barrier", "unnoticed", {{access::barrier}}}});
}

// ---- idle carriers ------------------------------------------------------------------------------

enum idle_flaw { no_second_look = 1, hint_only };

/// carrier::asleep_, with carrier::wake() and the sleep of wait_for_work().
struct sleeper {
  word asleep{0};

  void wake() {
    if (asleep.load(seq_cst) == 0) return;
    if (asleep.exchange(0, seq_cst) == 1) asleep.futex_wake();
  }
  template <class Look>
  void sleep_unless(Look&& has_work) {
    asleep.store(1, seq_cst);
    if (flaw() == no_second_look || !has_work()) asleep.futex_wait(1);
    asleep.exchange(0, seq_cst);
  }
};

/// What is made is one flag: a stop, a lender's end, a timer.
struct idle_with_flags {
  static constexpr int threads = 3;
  static constexpr int asleep = 0, first = 1;
  sleeper s;
  flag work[2] = {false, false};
  void thread(int me) {
    if (me < 2) {
      work[me].store(true, seq_cst);
      s.wake();
      return;
    }
    const auto has_work = [this] { return work[0].load(seq_cst) && work[1].load(seq_cst); };
    while (!has_work()) s.sleep_unless(has_work);
  }
  void end() {}
};

/// What is made is mail, under its lock: carrier::post(), has_mail() and mail_for_sure().
struct idle_with_mail {
  static constexpr int threads = 2;
  sleeper s;
  spin_lock lock;
  plain<int> mail{0};
  word hint{0};
  void thread(int me) {
    if (me == 0) {
      lock.lock();
      mail = 1;
      hint.store(1, relaxed);
      lock.unlock();
      s.wake();
      return;
    }
    while (hint.load(relaxed) == 0) {
      s.sleep_unless(
          [this] { return hint.load(relaxed) != 0 || (flaw() != hint_only && mail_for_sure()); });
    }
    check(mail_for_sure(), "no mail");
  }
  void end() {}
  bool mail_for_sure() {
    lock.lock();
    const bool any_mail = mail != 0;
    lock.unlock();
    return any_mail;
  }
};

TEST_F(protocols_test, idle_loses_no_work) {
  using i = idle_with_flags;
  // None of the four may be less than seq_cst: a look for work that only acquires loses it, too.
  expect_sound<idle_with_flags>();
  expect_caught<idle_with_flags>(
      {{"work made in release order", lost, {{access::store, release, i::first}}},
       {"looks for a sleeper in acquire order", lost, {{access::load, acquire, i::asleep}}},
       {"sleep announced in release order", lost, {{access::store, release, i::asleep}}},
       {"looks for work in acquire order", lost, {{access::load, acquire, i::first}}},
       {"no second look for work", lost, {}, no_second_look}});
  expect_sound<idle_with_mail>();
  expect_caught<idle_with_mail>({{"no second look for mail", lost, {}, no_second_look},
                                 {"a second look without the lock", lost, {}, hint_only}});
}

// ---- publications -------------------------------------------------------------------------------

/// carrier::arrive() against ready(), and channel_core::close() against is_closed(): one writes
/// plainly and sets a flag, the other looks at the flag and reads.
struct publication {
  static constexpr int threads = 2;
  flag set{false};
  plain<int> written{0};
  void thread(int me) {
    if (me == 0) {
      written = 1;
      set.store(true, release);
    } else if (set.load(acquire)) {
      check(written == 1, "stale");
      written = 2;  // a task that is at rest goes on here
    }
  }
  void end() {}
};

TEST_F(protocols_test, parked_and_closed_publish_what_came_before) {
  expect_sound<publication>();
  expect_caught<publication>({{"relaxed arrive() or close()", race, {{access::store, relaxed}}},
                              {"relaxed ready() or is_closed()", race, {{access::load, relaxed}}}});
}

struct counted final : shared_object {
  plain<int> by[3];
  bool* gone;
  explicit counted(bool* g) : gone(g) {}
  ~counted() override {
    check(!*gone, "destroyed twice");
    *gone = true;
    check(by[0] + by[1] + by[2] == 6, "stale");
  }
  static void operator delete(void*) {}  // it lives in the scenario
};

struct sharing {
  static constexpr int threads = 3;
  bool gone = false;
  alignas(counted) std::byte memory[sizeof(counted)];
  counted* object = ::new (memory) counted(&gone);
  sharing() {
    object->retain();
    object->retain();
  }
  void thread(int me) {
    object->by[me] = me + 1;
    object->release();
  }
  void end() const { check(gone, "never destroyed"); }
};

TEST_F(protocols_test, the_last_release_sees_every_holders_last_use) {
  expect_sound<sharing>();
  expect_caught<sharing>({{"relaxed count", race, {{access::rmw, relaxed}}},
                          {"release without acquire", race, {{access::rmw, release}}},
                          {"acquire without release", race, {{access::rmw, acquire}}}});
  expect_sound<sharing>({.name = "acq_rel", .failure = "", .weaker = {{access::rmw, acq_rel}}});
}

}  // namespace
