// SPDX-License-Identifier: MIT
#pragma once
// What a pool must offer to be measured here; the adapters are as thin as that allows. Required:
//
//   P(int workers, from);
//   static constexpr const char* name;
//   void begin();          // before each load, outside of what is timed
//   void post(f);          // run f() some time
//   void wait();           // until all that was posted has ended; then begin() again
//   static void sleep(d);  // how a job waits
//
// Where the peer has such:
//
//   auto submit(f);        // something whose get() gives f's result
//   void inside(f);        // f() where its own jobs run, then wait for what it submitted: there
//   void timers(n, rounds, d, late);  // n timers at once, each again and again: late[i] = ns
//   static constexpr bool waits_once = true;  // after wait() begin() makes another pool

#include <chrono>
#include <concepts>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "pool/work.hpp"

namespace bench {

/// Where the thread runs that submits: is it one of the workers, for those that can have it so?
enum class from { outside, inside };

struct nothing_to_do {
  void operator()() const noexcept {}
};
struct seven {
  int operator()() const noexcept { return 7; }
};

template <class P>
concept has_submit = requires(P p) { p.submit(seven{}).get(); };
template <class P>
concept has_inside = requires(P p) { p.inside(nothing_to_do{}); };
template <class P>
concept has_timers =
    requires(P p, std::vector<double>& late) { p.timers(1, 1, std::chrono::nanoseconds(1), late); };
template <class P>
constexpr bool waits_once = requires { P::waits_once; };

inline from where_of(program& p) {
  return p.count("inside", 0) != 0 ? from::inside : from::outside;
}

/// Calls load(), which submits, from inside of the peer or from this thread, and waits for all.
template <class P, class Load>
void drive(P& peer, from where, Load load) {
  if constexpr (has_inside<P>) {
    if (where == from::inside) return peer.inside(load), peer.wait();
  }
  load();
  peer.wait();
}

/// At most n at once: what bounds the peers that have a thread for each job.
class places {
 public:
  explicit places(int n) : all_(n), free_(n) {}
  void take() {
    std::unique_lock hold(lock_);
    one_.wait(hold, [this] { return free_ > 0; });
    --free_;
  }
  void give() {
    // Notified under the lock: who waits for all of them may destroy this as soon as it is free.
    const std::lock_guard hold(lock_);
    ++free_;
    one_.notify_all();
  }
  void wait_for_all() {
    std::unique_lock hold(lock_);
    one_.wait(hold, [this] { return free_ == all_; });
  }

 private:
  std::mutex lock_;
  std::condition_variable one_;
  int all_;
  int free_;
};

}  // namespace bench
