// SPDX-License-Identifier: MIT
// std::async(std::launch::async): a thread for each job, not more at once than a pool would have
// workers.
#include <deque>
#include <future>
#include <thread>
#include <utility>

#include "pool/cases.hpp"

namespace {

class std_async {
 public:
  static constexpr const char* name = "std_async";

  std_async(int workers, bench::from) : places_(workers) {}
  void begin() {}
  /// Keeps the future, whose destructor would wait for the job.
  template <class F>
  void post(F f) {
    while (!posted_.empty() &&
           posted_.front().wait_for(std::chrono::seconds(0)) == std::future_status::ready) {
      posted_.pop_front();
    }
    posted_.push_back(submit(std::move(f)));
  }
  template <class F>
  auto submit(F f) {
    places_.take();
    return std::async(std::launch::async, [this, f = std::move(f)]() mutable {
      const struct leave {
        bench::places& from;
        ~leave() { from.give(); }
      } at_the_end{places_};
      return f();
    });
  }
  void wait() { posted_.clear(); }
  static void sleep(std::chrono::nanoseconds d) { std::this_thread::sleep_for(d); }

 private:
  bench::places places_;
  std::deque<std::future<void>> posted_;
};

}  // namespace

int main(int argc, char** argv) { return bench::run_pool<std_async>(argc, argv); }
