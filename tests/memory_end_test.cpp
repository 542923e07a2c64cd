// SPDX-License-Identifier: MIT
// No memory: what waits is woken all the same, what ends ends, and who asks for more is told.
#include "support.hpp"

#include <memory>
#include <sstream>

#include "refusal.hpp"
#include "weir/testing.hpp"

namespace {

using namespace weir_test;
using namespace weir;

using memory_end_test = refusing;

/// As long as it lives, this thread gets no memory.
class famine {
 public:
  famine() { no_memory = true; }
  ~famine() { no_memory = false; }
  famine(const famine&) = delete;
  famine& operator=(const famine&) = delete;
};

// ---- times --------------------------------------------------------------------------------------

TEST_F(memory_end_test, a_sleep_ends_without_memory) {
  on_virtual_time([] {
    weir::sleep_for(1ms);  // there is room for its entry from now on
    const famine now;
    weir::sleep_for(1ms);
  });
}

TEST_F(memory_end_test, any_number_of_deadlines_pass_without_memory) {
  on_virtual_time([] {
    std::vector<cancellable_context> all;
    for (int i = 0; i < 100; ++i) all.push_back(with_timeout(background(), 1ms));
    const wait_group woken;
    woken.go([&] { (void)all.back().ctx.done().receive(); });
    weir::yield();
    const famine now;
    woken.wait();
    for (const auto& [ctx, cancel] : all) EXPECT_EQ(ctx.error(), errc::deadline_exceeded);
  });
}

TEST_F(memory_end_test, a_runtime_that_ends_cancels_all_deadlines_without_memory) {
  std::vector<cancellable_context> all;
  {
    runtime rt{{.carriers = 1}};
    rt.run([&] {
      for (int i = 0; i < 100; ++i) all.push_back(with_timeout(background(), 1h));
    });
    const famine now;
    EXPECT_TRUE(rt.shutdown());
  }
  for (const auto& [ctx, cancel] : all) EXPECT_EQ(ctx.error(), errc::cancelled);
}

}  // namespace
