// SPDX-License-Identifier: MIT
#pragma once
// Weir's pool, whatever its workers are and its jobs' order: the default options but for that.

#include <weir/weir.hpp>

#include <thread>
#include <utility>

#include "pool/peer.hpp"

namespace bench {

template <weir::host Host, weir::start_order Order = weir::start_order::submitted>
class weir_peer {
 public:
  static constexpr const char* name = Host == weir::host::threads             ? "weir_threads"
                                      : Order == weir::start_order::submitted ? "weir"
                                                                              : "weir_any";

  weir_peer(int workers, from) : pool_{{.workers = workers, .order = Order, .host = Host}} {}
  void begin() {}
  template <class F>
  void post(F f) {
    pool_.post(std::move(f));
  }
  template <class F>
  auto submit(F f) {
    return pool_.submit(std::move(f));
  }
  template <class F>
  void inside(F f) {
    weir::run([&] {
      f();
      pool_.wait();
    });
  }
  void wait() { pool_.wait(); }
  static void sleep(std::chrono::nanoseconds d) {
    if constexpr (Host == weir::host::tasks) {
      weir::sleep_for(d);
    } else {
      std::this_thread::sleep_for(d);
    }
  }

 private:
  weir::pool<> pool_;
};

}  // namespace bench
