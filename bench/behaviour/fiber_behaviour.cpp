// SPDX-License-Identifier: MIT
// How Boost.Fiber behaves: its channels, fibers on one thread; see weir_behaviour.cpp. A fiber that
// was started has run until it waits as soon as its starter yields.
#include <atomic>
#include <boost/fiber/all.hpp>

#include "../../tests/hangs/hangs.hpp"

namespace {

namespace fibers = boost::fibers;
using status = fibers::channel_op_status;

void closing() {
  fibers::unbuffered_channel<int> full;
  fibers::unbuffered_channel<int> empty;
  status sender = status::success;
  status receiver = status::success;
  fibers::fiber sending([&] { sender = full.push(1); });
  fibers::fiber receiving([&] {
    int v = 0;
    receiver = empty.pop(v);
  });
  boost::this_fiber::yield();
  full.close();
  empty.close();
  sending.join();
  receiving.join();
  hangs::judge(sender == status::closed && receiver == status::closed, "both return closed");
}

void spin() {
  std::atomic<int> begun{0};
  const auto job = [&] {
    ++begun;
    while (begun < 2) {
    }
  };
  fibers::fiber a(job);
  fibers::fiber b(job);
  a.join();
  b.join();
  hangs::judge(true, "?");
}

}  // namespace

int main(int argc, char** argv) {
  return hangs::run(argc, argv, {{"close", closing}, {"spin", spin}});
}
