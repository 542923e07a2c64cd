// SPDX-License-Identifier: MIT
// No pool: each job is called at once.
#include <thread>
#include <utility>

#include "pool/cases.hpp"

namespace {

class loop {
 public:
  static constexpr const char* name = "loop";

  loop(int, bench::from) {}
  void begin() {}
  template <class F>
  void post(F f) {
    f();
  }
  void wait() {}
  static void sleep(std::chrono::nanoseconds d) { std::this_thread::sleep_for(d); }
};

}  // namespace

int main(int argc, char** argv) { return bench::run_pool<loop>(argc, argv); }
