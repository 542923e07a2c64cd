// SPDX-License-Identifier: MIT
// The count of a handful (src/pool/stoppable_count.hpp) under every order of its steps and every
// value that a weak memory may show them; see protocols_test.cpp.
#include "model/expectations.hpp"
#include "model/modelled_source.hpp"

namespace {

using namespace weak_memory;
using modelled::weir::detail::spin_lock;
using modelled::weir::detail::stoppable_count;
using stoppable_count_model_test = weak_memory_test;

enum count_flaw { none, looks_first, never_asks };

/// A worker has things in its hand, the first of which has begun; another takes back what has not.
/// Each thing is a plain value that whoever owns it writes: if two do, that is a race. And who
/// takes things back reads those that are over, which pool_core::take_back() counts.
template <unsigned Things>
struct taking_back {
  static constexpr int threads = 2;
  static constexpr int value = 0;  // the first location made
  stoppable_count count;
  spin_lock lock;  // the pool's
  plain<unsigned> results[Things];
  unsigned done[Things] = {};

  void thread(int me) { me == 0 ? work() : take_back(); }
  void end() const {
    for (const unsigned times : done) check(times == 1, "a thing is lost or done twice");
  }

  void run(unsigned i) {
    results[i] = i + 1;
    ++done[i];
  }
  void work() {
    lock.lock();
    count.start(1);
    lock.unlock();
    run(0);
    for (unsigned i = 1; i < Things && next(); ++i) run(i);
  }
  bool next() {
    if (flaw() == looks_first && count.is_stopped()) return false;
    if (count.increment() || flaw() == looks_first) return true;
    if (flaw() == never_asks) return false;
    lock.lock();
    const bool mine = count.has_counted();
    lock.unlock();
    return mine;
  }
  void take_back() {
    lock.lock();
    if (count.is_stopped()) return lock.unlock();  // not started yet: all is the worker's
    count.stop();
    modelled::weir::port::process_barrier();
    const unsigned begun = count.stopped_at();
    lock.unlock();
    for (unsigned i = 0; i + 1 < begun; ++i) check(results[i] == i + 1, "it is not over");
    for (unsigned i = begun; i < Things; ++i) run(i);
  }
};

TEST_F(stoppable_count_model_test, each_thing_has_one_owner) {
  using scenario = taking_back<3>;
  expect_sound<scenario>();
  expect_sound<taking_back<1>>();
  expect_caught<scenario>({
      {"no process barrier", race, {{access::barrier}}},
      {"relaxed count", race, {{access::store, relaxed, scenario::value}}},
      {"relaxed look at the count", race, {{access::load, relaxed, scenario::value}}},
      {"looks before it counts", race, {}, looks_first},
      {"does not ask whether it was in time", "lost", {}, never_asks},
  });
}

}  // namespace
