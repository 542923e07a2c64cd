// SPDX-License-Identifier: MIT
// What one meets rarely: cases of select that are used again, contexts that wait for each other,
// numbers at the end of their range, functions whose captures matter.
#include "support.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <limits>

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(rare_cases_test);

WEIR_RULE(rare_cases_test, a_receive_case_that_is_used_again_sees_the_end) {
  crew_.run([] {
    const channel<int> ch{4};
    ch.send(7);
    ch.close();
    std::vector<std::optional<int>> seen;
    std::vector<select_case> cases;
    cases.emplace_back(on_receive(ch, [&](std::optional<int> v) { seen.push_back(v); }));
    for (int i = 0; i < 2; ++i) (void)select(std::span(cases));
    EXPECT_EQ(seen, (std::vector<std::optional<int>>{7, std::nullopt}));
  });
}

WEIR_RULE(rare_cases_test, a_send_case_sends_its_value_once) {
  crew_.run([] {
    const channel<std::string> ch{4};
    std::vector<select_case> cases;
    cases.emplace_back(on_send(ch, std::string("once")));
    (void)select(std::span(cases));
    EXPECT_THROW((void)select(std::span(cases)), std::logic_error);
    EXPECT_EQ(ch.receive(), "once");
  });
}

WEIR_RULE(rare_cases_test, a_context_can_be_waited_for_until_itself_or_another_is_done) {
  crew_.run([&] {
    auto a = with_cancel(background());
    auto b = with_cancel(background());
    crew_.spawn([ctx = a.ctx] { (void)ctx.done().receive(ctx); });
    crew_.spawn([a = a.ctx, b = b.ctx] { (void)a.done().receive(b); });
    crew_.spawn([a = a.ctx, b = b.ctx] { (void)b.done().receive(a); });
    a.cancel();
    crew_.join();
    EXPECT_FALSE(b.ctx.cancelled());
  });
}

WEIR_RULE(rare_cases_test, who_wants_more_than_a_semaphore_has_stands_in_nobodys_way) {
  crew_.run([&] {
    const semaphore s(2);
    auto [ctx, cancel] = with_cancel(background());
    crew_.spawn([=, ctx = ctx] { EXPECT_FALSE(s.acquire(ctx, 3)); });
    s.acquire(2);
    s.release(2);
    cancel();
    crew_.join();
  });
}

WEIR_RULE(rare_cases_test, a_stop_callback_may_wait_for_who_waits_for_a_child) {
  crew_.run([] {
    auto [parent, cancel] = with_cancel(background());
    auto [child, cancel_child] = with_cancel(parent);
    const wait_group woken;
    woken.go([child = child] { (void)child.done().receive(); });
    const std::stop_callback callback(parent.stop_token(), [&] { woken.wait(); });
    cancel();
    EXPECT_EQ(woken.count(), 0);
  });
}

TEST(deadline_test, its_stop_callbacks_may_wait) {
  on_virtual_time([] {
    const channel<int> ch;
    auto [ctx, cancel] = with_timeout(background(), 50ms);
    const std::stop_callback callback(ctx.stop_token(), [&] { ch.send(1); });
    const wait_group other;
    other.go([&] {
      weir::sleep_for(100ms);
      EXPECT_EQ(ch.receive(), 1);
    });
    other.wait();
  });
}

/// Says when it is destroyed, a little later than it could.
class tell_tale {
 public:
  explicit tell_tale(bool& gone) : gone_(&gone) {}
  tell_tale(tell_tale&& other) noexcept : gone_(std::exchange(other.gone_, nullptr)) {}
  ~tell_tale() {
    if (gone_ == nullptr) return;
    weir::yield();
    *gone_ = true;
  }

 private:
  bool* gone_;
};

WEIR_RULE(rare_cases_test, what_a_function_holds_is_gone_before_its_group_says_that_it_has_ended) {
  crew_.run([] {
    bool gone = false;
    const wait_group all;
    all.go([held = tell_tale(gone)] {});
    all.wait();
    EXPECT_TRUE(gone);
    gone = false;
    {
      task_group group{background()};
      group.go([held = tell_tale(gone)] {});
    }
    EXPECT_TRUE(gone);
  });
}

TEST(limit_range_test, a_bucket_that_is_deeper_than_time_is_long_is_full) {
  for (const double rate : {1e-9, 1e-6, 0.5, 1.0, 100.0}) {
    for (const std::int64_t burst : {1'000'000'000LL, 10'000'000'000LL, 1'000'000'000'000LL}) {
      EXPECT_TRUE(token_bucket(rate, burst).try_acquire()) << rate << ' ' << burst;
    }
  }
}

TEST(wait_group_range_test, nothing_less_than_nothing) {
  const wait_group g;
  EXPECT_THROW(g.add(std::numeric_limits<std::int64_t>::min()), std::logic_error);
  EXPECT_EQ(g.count(), 0);
}

TEST(after_func_test, a_timer_whose_runtime_has_ended_may_be_started_on_another) {
  const channel<int> fired{1};
  std::optional<timer> t;
  {
    runtime rt{{.carriers = 1}};
    rt.run([&] { t = after_func(1h, [=] { fired.send(1); }); });
  }
  t->reset(1ms);
  EXPECT_EQ(fired.receive(), 1);
}

TEST(fork_test, a_child_may_cancel_what_has_callbacks) {
  if (!forked_child_may_allocate) GTEST_SKIP() << "AddressSanitizer: the child could hang";
  weir::run([] {});
  auto [ctx, cancel] = with_cancel(background());
  (void)after_func(ctx, [] {});
  const pid_t child = fork();
  if (child == 0) {
    cancel();
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
