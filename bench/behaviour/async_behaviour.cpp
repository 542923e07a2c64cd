// SPDX-License-Identifier: MIT
// How std::async behaves, which is neither a pool nor a channel; see weir_behaviour.cpp.
#include <atomic>
#include <future>

#include "../../tests/hangs/hangs.hpp"

namespace {

void spin() {
  std::atomic<int> begun{0};
  const auto job = [&] {
    ++begun;
    while (begun < 2) {
    }
  };
  auto a = std::async(std::launch::async, job);
  auto b = std::async(std::launch::async, job);
  a.get();
  b.get();
  hangs::judge(begun == 2, "two threads");
}

}  // namespace

int main(int argc, char** argv) { return hangs::run(argc, argv, {{"spin", spin}}); }
