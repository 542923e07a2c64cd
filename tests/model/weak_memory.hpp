// SPDX-License-Identifier: MIT
#pragma once
// A model checker for lock-free protocols: runs a scenario of a few threads once for every way that
// they can interleave and every value that a weak memory may show them, and reports the first run
// in which something goes wrong: a data race, a failed check(), or a sleep that nobody ends.
//
//   struct handover {
//     static constexpr int threads = 2;
//     weak_memory::atomic<bool> ready{false};
//     weak_memory::plain<int> data{0};
//     void thread(int me) {
//       if (me == 0) { data = 1; ready.store(true, std::memory_order_release); }
//       else if (ready.load(std::memory_order_acquire)) weak_memory::check(data == 1, "stale");
//     }
//     void end() {}  // once all threads have ended
//   };
//   weak_memory::explore<handover>({}).failure  // "": there is none
//
// The memory (after "A promising semantics", 2017, without promises): each location keeps all its
// stores, in the order in which they were made. A thread's knowledge says how old a store it may
// still read. A relaxed load takes any that is not older; an acquire load adds the knowledge that a
// release store left there; an exchange reads the latest and hands on what that had. Sequentially
// consistent operations share one more: they read nothing that is older than what another of them
// has read or written before. process_barrier() gives each thread's knowledge to that one, and
// that to the thread, one thread after another.
// Plain variables are checked with vector clocks, so that an order is needed, not only luck.
//
// Not modelled: that loads are delayed after later stores of their thread (so no result out of thin
// air and no load buffering), that stores to one location take another order than that of their
// execution, compare_exchange_weak failing for no reason, time limits, what a compiler may move.
// A barrier orders here less than in a machine: it gives no happens-before.
//
// A thread that would spin calls spin(). How runs are chosen: explorer.hpp.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "model/explorer.hpp"

namespace weak_memory {

inline constexpr int max_threads = 4;
inline constexpr int max_locations = 16;
inline constexpr int any = -1;

/// Makes some accesses weaker than they are written; a weakened barrier is none at all.
struct weakening {
  access kind;
  std::memory_order to = std::memory_order_relaxed;
  int location = any;  // they are numbered in the order of their construction
  int thread = any;
};

/// A scenario with faults put in.
struct variant {
  std::string name;
  std::string failure;  // what to expect: a part of the message
  std::vector<weakening> weaker{};
  int flaw = 0;  // the scenario's own; see flaw()
};

struct knowledge {
  std::array<std::uint16_t, max_locations> seen{};  // the oldest store that may still be read
  std::array<std::uint16_t, max_threads> clock{};   // what of each thread happened before

  void join_seen(const knowledge& other) {
    for (std::size_t i = 0; i < seen.size(); ++i) seen[i] = std::max(seen[i], other.seen[i]);
  }
  void join(const knowledge& other) {
    join_seen(other);
    for (std::size_t i = 0; i < clock.size(); ++i) clock[i] = std::max(clock[i], other.clock[i]);
  }
};

inline bool acquires(std::memory_order o) {
  return o == std::memory_order_acquire || o == std::memory_order_acq_rel ||
         o == std::memory_order_seq_cst;
}
inline bool releases(std::memory_order o) {
  return o == std::memory_order_release || o == std::memory_order_acq_rel ||
         o == std::memory_order_seq_cst;
}

/// The memory of one run at a time.
class world final : public explorer {
 public:
  // ---- memory; called by the threads, and with nothing to decide before they start and after.

  int add_location(std::uint64_t initial) {
    if (locations_ == max_locations) std::abort();  // make max_locations larger
    auto& history = histories_[static_cast<std::size_t>(locations_)];
    history.clear();
    history.push_back({.value = initial, .released = {}});
    return locations_++;
  }

  std::uint64_t load(int at, std::memory_order o) {
    o = weakened(access::load, at, o);
    reach({.kind = access::load, .location = at, .sc = is_sc(o)});
    const unsigned oldest = oldest_readable(at, o);
    const unsigned newest = latest(at);
    return read(at, newest - choose(newest - oldest + 1), o);
  }

  void store(int at, std::uint64_t value, std::memory_order o) {
    o = weakened(access::store, at, o);
    reach({.kind = access::store, .location = at, .sc = is_sc(o)});
    write(at, value, o, {});
  }

  template <class F>
  std::uint64_t update(int at, F&& changed, std::memory_order o) {
    o = weakened(access::rmw, at, o);
    reach({.kind = access::rmw, .location = at, .sc = is_sc(o)});
    return exchange_latest(at, changed, o);
  }

  bool compare_exchange(int at, std::uint64_t& expected, std::uint64_t wanted, std::memory_order o,
                        std::memory_order failure) {
    o = weakened(access::rmw, at, o);
    failure = weakened(access::cas_failure, at, failure);
    reach({.kind = access::rmw, .location = at, .sc = is_sc(o) || is_sc(failure)});
    // A failure is a load, which need not read the latest; a success does.
    usable_.clear();
    for (unsigned i = latest(at) + 1; i-- > oldest_readable(at, failure);) {
      if (i == latest(at) || stored(at, i).value != expected) usable_.push_back(i);
    }
    const unsigned chosen = usable_[choose(static_cast<unsigned>(usable_.size()))];
    if (chosen == latest(at) && stored(at, chosen).value == expected) {
      exchange_latest(
          at, [wanted](std::uint64_t) { return wanted; }, o);
      return true;
    }
    expected = read(at, chosen, failure);
    return false;
  }

  void process_barrier() {
    if (omitted(access::barrier)) return;
    fence(running());
    for (int t = 0; t < threads(); ++t) {
      if (t != running()) fence(t);
    }
    fence(running());
  }

  // ---- waiting

  /// Instead of going round a loop: until there is something newer than what was last read.
  void spin() {
    const int at = self().last_location;
    const unsigned last = self().last_read;
    reach({.kind = access::spin, .location = at, .newer_than = last});
    raise_seen(running(), at, last + 1);
  }
  /// Compares with the latest, and sleeps, in one step. The kernel reads for the thread, which
  /// then reads nothing older; but that orders nothing else.
  void futex_wait(int at, std::uint64_t expected) {
    reach({.kind = access::wait, .location = at});
    if (stored(at, latest(at)).value == expected) {
      sleep_on(at);
    } else {
      raise_seen(running(), at, latest(at));
    }
  }
  void futex_wake(int at) {
    reach({.kind = access::wake, .location = at});
    if (const int t = wake_one(at); t != nobody) raise_seen(t, at, latest(at));
  }

  // ---- for plain variables and checks

  [[nodiscard]] const knowledge& known() { return self().knows; }
  [[nodiscard]] int flaw() const { return faults_->flaw; }

  template <class Scenario>
  result explore(const variant& faults) {
    static_assert(Scenario::threads <= max_threads);
    faults_ = &faults;
    forget_runs();
    do {
      forget_memory();
      begin(Scenario::threads);
      std::optional<Scenario> scenario(std::in_place);
      const auto body = [](void* s, int me) { static_cast<Scenario*>(s)->thread(me); };
      if (run(&*scenario, body)) scenario->end();
    } while (next_run());
    return outcome();
  }

 private:
  struct stored_value {
    std::uint64_t value;
    knowledge released;
  };
  /// A thread, as the memory sees it.
  struct observer {
    knowledge knows;
    int last_location = nowhere;  // of its last read
    unsigned last_read = 0;       // or of what it has written there since
  };

  [[nodiscard]] unsigned latest(int at) const override {
    return static_cast<unsigned>(histories_[static_cast<std::size_t>(at)].size()) - 1;
  }
  std::vector<stored_value>& history(int at) { return histories_[static_cast<std::size_t>(at)]; }
  stored_value& stored(int at, unsigned i) { return history(at)[i]; }
  observer& observer_of(int t) { return observers_[static_cast<std::size_t>(t)]; }
  observer& self() { return observer_of(running()); }
  static bool is_sc(std::memory_order o) { return o == std::memory_order_seq_cst; }

  [[nodiscard]] bool omitted(access kind, int at = any) const {
    return std::any_of(faults_->weaker.begin(), faults_->weaker.end(),
                       [&](const weakening& w) { return applies(w, kind, at); });
  }
  [[nodiscard]] bool applies(const weakening& w, access kind, int at) const {
    return w.kind == kind && (w.location == any || w.location == at) &&
           (w.thread == any || w.thread == running());
  }
  [[nodiscard]] std::memory_order weakened(access kind, int at, std::memory_order o) const {
    for (const weakening& w : faults_->weaker) {
      if (applies(w, kind, at)) return w.to;
    }
    return o;
  }

  [[nodiscard]] unsigned oldest_readable(int at, std::memory_order o) {
    if (running() == nobody) return latest(at);
    const auto i = static_cast<std::size_t>(at);
    return is_sc(o) ? std::max(self().knows.seen[i], sc_.seen[i]) : self().knows.seen[i];
  }
  std::uint64_t read(int at, unsigned which, std::memory_order o) {
    const stored_value& found = stored(at, which);
    if (running() == nobody) return found.value;
    touch(at, which, o, found.value);
    self().last_location = at;
    self().last_read = which;
    if (acquires(o)) self().knows.join(found.released);
    return found.value;
  }
  void write(int at, std::uint64_t value, std::memory_order o, const knowledge& inherited) {
    history(at).push_back({.value = value, .released = inherited});
    if (running() == nobody) return;
    touch(at, latest(at), o, value);
    if (self().last_location == at) self().last_read = latest(at);
    if (releases(o)) stored(at, latest(at)).released.join(self().knows);
    self().knows.clock[static_cast<std::size_t>(running())] += 1;
  }
  template <class F>
  std::uint64_t exchange_latest(int at, F&& changed, std::memory_order o) {
    const knowledge inherited = stored(at, latest(at)).released;  // a release sequence goes on
    const std::uint64_t old = read(at, latest(at), o);
    write(at, changed(old), o, inherited);
    return old;
  }
  /// Reads or writes store number `which`.
  void touch(int at, unsigned which, std::memory_order o, std::uint64_t value) {
    raise_seen(running(), at, which);
    auto& sc = sc_.seen[static_cast<std::size_t>(at)];
    if (is_sc(o)) sc = std::max(sc, static_cast<std::uint16_t>(which));
    note_value(value);
  }
  void raise_seen(int t, int at, unsigned which) {
    auto& seen = observer_of(t).knows.seen[static_cast<std::size_t>(at)];
    seen = std::max(seen, static_cast<std::uint16_t>(which));
  }
  void fence(int whose) {
    reach({.kind = access::barrier, .target = whose});
    sc_.join_seen(observer_of(whose).knows);
    observer_of(whose).knows.join_seen(sc_);
  }
  void forget_memory() {
    locations_ = 0;
    sc_ = {};
    observers_ = {};
    for (std::size_t t = 0; t < observers_.size(); ++t) observers_[t].knows.clock[t] = 1;
  }

  const variant* faults_ = nullptr;
  std::array<std::vector<stored_value>, max_locations> histories_;
  int locations_ = 0;
  std::array<observer, max_threads> observers_;
  knowledge sc_;  // what sequentially consistent operations and barriers have seen
  std::vector<unsigned> usable_;
};

inline world the_world;

template <class Scenario>
[[nodiscard]] result explore(const variant& faults) {
  return the_world.explore<Scenario>(faults);
}
/// The fault that the scenario itself is to make, 0 for none.
[[nodiscard]] inline int flaw() { return the_world.flaw(); }
inline void check(bool holds, const char* otherwise) {
  if (!holds) the_world.fail(otherwise);
}
inline void spin() { the_world.spin(); }

/// Stands for std::atomic, as far as our protocols use it.
template <class T>
class atomic {
  static_assert(std::is_integral_v<T>);

 public:
  atomic() : atomic(T{}) {}
  atomic(T initial) : at_(the_world.add_location(raw(initial))) {}  // NOLINT: as std's
  atomic(const atomic&) = delete;
  atomic& operator=(const atomic&) = delete;

  [[nodiscard]] T load(std::memory_order o) const { return cooked(the_world.load(at_, o)); }
  void store(T v, std::memory_order o) { the_world.store(at_, raw(v), o); }
  T exchange(T v, std::memory_order o) {
    return cooked(the_world.update(
        at_, [v](std::uint64_t) { return raw(v); }, o));
  }
  T fetch_add(T n, std::memory_order o) {
    return cooked(the_world.update(
        at_, [n](std::uint64_t old) { return raw(static_cast<T>(cooked(old) + n)); }, o));
  }
  T fetch_sub(T n, std::memory_order o) { return fetch_add(static_cast<T>(T{} - n), o); }
  bool compare_exchange_strong(T& expected, T v, std::memory_order o, std::memory_order failure) {
    std::uint64_t found = raw(expected);
    const bool done = the_world.compare_exchange(at_, found, raw(v), o, failure);
    expected = cooked(found);
    return done;
  }
  bool compare_exchange_weak(T& expected, T v, std::memory_order o) {
    return compare_exchange_strong(expected, v, o, o);
  }
  bool compare_exchange_weak(T& expected, T v, std::memory_order o, std::memory_order failure) {
    return compare_exchange_strong(expected, v, o, failure);
  }
  void futex_wait(T expected) { the_world.futex_wait(at_, raw(expected)); }
  void futex_wake() { the_world.futex_wake(at_); }

 private:
  static std::uint64_t raw(T v) { return static_cast<std::uint64_t>(v); }
  static T cooked(std::uint64_t v) { return static_cast<T>(v); }
  int at_;
};

/// A variable that is not atomic: two accesses of which one writes must be ordered.
template <class T>
class plain {
 public:
  plain(T initial = T{}) : value_(initial) {}  // NOLINT: stands for a T
  plain(const plain&) = delete;
  plain& operator=(const plain&) = delete;
  operator T() {  // NOLINT: stands for a T
    if (const int me = the_world.running(); me >= 0) {
      require_ordered(written_);
      read_[static_cast<std::size_t>(me)] = the_world.known().clock[static_cast<std::size_t>(me)];
    }
    return value_;
  }
  void operator=(T v) {
    if (const int me = the_world.running(); me >= 0) {
      require_ordered(written_);
      require_ordered(read_);
      written_ = {};
      written_[static_cast<std::size_t>(me)] =
          the_world.known().clock[static_cast<std::size_t>(me)];
    }
    value_ = v;
  }

 private:
  using times = std::array<std::uint16_t, max_threads>;
  static void require_ordered(const times& earlier) {
    for (std::size_t t = 0; t < earlier.size(); ++t) {
      if (earlier[t] > the_world.known().clock[t]) the_world.fail("data race");
    }
  }
  T value_;
  times written_{};
  times read_{};
};

}  // namespace weak_memory
