// SPDX-License-Identifier: MIT
// Streams where there are no threads, and no memory.
#include "support.hpp"

#include "numbers.hpp"
#include "refusal.hpp"

namespace {

using namespace weir_test;
using namespace weir;

class process_hardship : public refusing {
 protected:
  void SetUp() override {
    refusing::SetUp();
    run([] {});  // the runtime has its threads
  }
};

const auto same = [](int i) { return i; };

TEST_F(process_hardship, a_stream_without_a_thread_for_its_worker_says_so) {
  threads_left = 0;
  const auto code = [](const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::system_error& e) {
      return e.code();
    }
  };
  const auto why = std::make_error_code(std::errc::resource_unavailable_try_again);
  try {
    (void)map(background(), numbers(3), {.workers = 2, .host = host::threads}, same).to_vector();
    ADD_FAILURE() << "with what thread?";
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), why) << e.what();
  }
  auto s = process(background(), numbers(3),
                   {.workers = 2, .on_error = on_error::collect, .host = host::threads}, same);
  int failures = 0;
  for (auto& o : s.outcomes()) {
    ASSERT_FALSE(o.has_value());
    EXPECT_EQ(code(o.error()), why);
    ++failures;
  }
  EXPECT_GE(failures, 1);
}

TEST_F(process_hardship, a_stream_is_left_without_memory) {
  // (By a thread: what a carrier does beside its tasks wants memory.)
  const channel<int> jobs{1};
  jobs.send(1);
  auto s = std::make_optional(process(background(), jobs, {.workers = 2}, same));
  EXPECT_EQ(*s->begin(), 1);
  no_memory = true;
  s.reset();
  no_memory = false;
}

}  // namespace
