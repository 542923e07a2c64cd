// SPDX-License-Identifier: MIT
// How Boost.Asio's thread_pool behaves, which has no bounded queue; see weir_behaviour.cpp.
#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "../../tests/hangs/hangs.hpp"

namespace {

void spin() {
  std::atomic<int> begun{0};
  boost::asio::thread_pool pool{2};
  for (int i = 0; i < 2; ++i) {
    boost::asio::post(pool, [&] {
      ++begun;
      while (begun < 2) {
      }
    });
  }
  pool.join();
  hangs::judge(begun == 2, "two threads");
}

}  // namespace

int main(int argc, char** argv) { return hangs::run(argc, argv, {{"spin", spin}}); }
