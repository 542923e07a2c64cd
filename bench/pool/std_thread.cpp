// SPDX-License-Identifier: MIT
// A std::thread for each job, not more at once than a pool would have workers.
#include <thread>
#include <utility>

#include "pool/cases.hpp"

namespace {

class std_thread {
 public:
  static constexpr const char* name = "std_thread";

  std_thread(int workers, bench::from) : places_(workers) {}
  void begin() {}
  template <class F>
  void post(F f) {
    places_.take();
    std::thread([this, f = std::move(f)]() mutable {
      f();
      places_.give();
    }).detach();
  }
  void wait() { places_.wait_for_all(); }
  static void sleep(std::chrono::nanoseconds d) { std::this_thread::sleep_for(d); }

 private:
  bench::places places_;
};

}  // namespace

int main(int argc, char** argv) { return bench::run_pool<std_thread>(argc, argv); }
