// SPDX-License-Identifier: MIT
// The hang programs with std::async: a thread a job, and no pool.
#include <atomic>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

#include "hangs.hpp"

namespace {

template <class F>
auto async(F f) {
  return std::async(std::launch::async, std::move(f));
}

void nested() {
  const int n = async([] { return async([] { return 41; }).get() + 1; }).get();
  hangs::judge(n == 42, "a thread a job");
}

void throwing() {
  (void)async([] { throw std::runtime_error("disk full"); });
  hangs::judge(false, "the future is dropped, and the exception with it");
}

void destructor() {
  std::atomic<int> ran{0};
  {
    std::vector<std::future<void>> all;
    for (int i = 0; i < 100; ++i) all.push_back(async([&] { ++ran; }));
  }
  hangs::judge(ran == 100, std::to_string(ran) + " of 100 ran: the futures' destructors wait");
}

}  // namespace

int main(int argc, char** argv) {
  return hangs::run(argc, argv,
                    {{"nested", nested}, {"throw", throwing}, {"destructor", destructor}});
}
