// SPDX-License-Identifier: MIT
// A program that dies with tasks in several states, for gdb_test.py to look at.
#include <cstdlib>
#include <weir/weir.hpp>

namespace {

[[gnu::noinline]] void wait_for_a_value(const weir::channel<int>& ch) {
  if (ch.receive()) std::abort();  // nobody sends
}

}  // namespace

int main() {
  using namespace std::chrono_literals;
  const weir::channel<int> ch{3};
  const weir::wait_group group;
  group.add(2);
  weir::runtime rt{{.carriers = 1}};
  rt.run([&] {
    rt.go("reader", [=] { wait_for_a_value(ch); });
    rt.go("sleeper", [] { weir::sleep_for(1h); });
    rt.go([=] { group.wait(); });
    weir::sleep_for(5ms);  // the others run, and park
    std::abort();
  });
}
