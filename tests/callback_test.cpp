// SPDX-License-Identifier: MIT
// What after_func() is given, of a context and of a time: who calls it and where its captures end,
// and that whoever lets it begin is not held up.
#include "support.hpp"

#include <stop_token>

namespace {

using namespace weir_test;
using namespace weir;

/// Counts its copies and ends outside of tasks.
class task_only {
 public:
  explicit task_only(std::atomic<int>& outside) : outside_(&outside) {}
  task_only(const task_only& other) : outside_(other.outside_) { look(); }
  task_only(task_only&& other) noexcept : outside_(std::exchange(other.outside_, nullptr)) {}
  task_only& operator=(const task_only&) = delete;
  ~task_only() { look(); }

 private:
  void look() const {
    if (outside_ != nullptr && this_task::id() == 0) ++*outside_;
  }
  std::atomic<int>* outside_;
};

/// Waits for `until` as it ends, unless it was moved from.
class patient {
 public:
  explicit patient(receiver<int> until) : until_(std::move(until)) {}
  patient(const patient&) = default;
  patient(patient&&) noexcept = default;
  patient& operator=(const patient&) = delete;
  ~patient() {
    if (until_ != receiver<int>()) (void)until_.receive();
  }

 private:
  receiver<int> until_;
};

struct key {
  bool operator==(const key&) const = default;
};

TEST(callback_test, may_be_what_can_only_be_moved) {
  runtime rt{{.carriers = 2}};
  rt.run([] {
    const channel<int> ran{1};
    auto [ctx, cancel] = with_cancel(background());
    (void)after_func(ctx, [=, n = std::make_unique<int>(1)] { ran.send(*n); });
    cancel();
    EXPECT_EQ(ran.receive(), 1);
    const timer t = after_func(1ms, [=, n = std::make_unique<int>(1)] { ran.send(++*n); });
    EXPECT_EQ(ran.receive(), 2);
    t.reset(1ms);
    EXPECT_EQ(ran.receive(), 3);
  });
}

TEST(callback_test, that_is_empty_is_refused_also_if_it_can_only_be_moved) {
  struct empty {
    std::unique_ptr<int> held;
    void operator()() const {}
    bool operator==(std::nullptr_t) const { return true; }
  };
  auto [ctx, cancel] = with_cancel(background());
  EXPECT_THROW((void)after_func(ctx, empty()), std::invalid_argument);
  EXPECT_THROW((void)after_func(1ms, empty()), std::invalid_argument);
}

TEST(callback_test, of_a_timer_is_copied_and_ends_in_tasks) {
  std::atomic<int> outside{0};
  {
    runtime rt{{.carriers = 1}};
    rt.run([&] {
      const wait_group called;
      called.add(3);
      const auto again = after_func(1ms, [=, t = task_only(outside)] { called.done(); });
      (void)after_func(1ms, [=, t = task_only(outside)] { called.done(); });
      until([&] { return called.count() == 1; });
      again.reset(1ms);
      called.wait();
    });
  }
  EXPECT_EQ(outside, 0);
}

TEST(callback_test, of_a_deadline_ends_in_its_task_and_so_do_values) {
  std::atomic<int> outside{0};
  {
    runtime rt{{.carriers = 1}};
    rt.run([&] {
      const wait_group called;
      called.add();
      const auto limited = with_timeout(background(), 1ms);
      (void)after_func(with_value(limited.ctx, key(), task_only(outside)),
                       [=, t = task_only(outside)] { called.done(); });
      called.wait();
    });
  }
  EXPECT_EQ(outside, 0);
}

TEST(callback_test, may_wait_as_its_captures_end_and_holds_up_no_timer) {
  const channel<int> go_on;
  on_virtual_time([&] {
    (void)after_func(5ms, [p = patient(go_on)] {});
    weir::sleep_for(50ms);
    go_on.close();
  });
}

TEST(callback_test, of_any_number_begin_after_cancel) {
  on_virtual_time([] {
    constexpr int many = 100;  // more than a task can start with go() before it steps back
    std::atomic<int> others{0};
    const wait_group ended;
    auto [ctx, cancel] = with_cancel(background());
    ended.add(many);
    for (int i = 0; i < many; ++i) {
      (void)after_func(ctx, [&, ended] {
        ++others;
        ended.done();
      });
    }
    cancel();
    EXPECT_EQ(others, 0) << "cancel() waits for nobody";
    ended.wait();
    EXPECT_EQ(others, many);
  });
}

TEST(callback_test, holds_the_last_reference_to_a_context_of_a_stop_token) {
  // Of long pieces of work, more than a task can start with go() before it steps back: if it did
  // now, the other carrier would go on with it.
  runtime rt{{.carriers = 2}};
  const channel<bool> asked{1};
  rt.go([=] {
    std::stop_source source;
    {
      const context ctx(source.get_token());
      for (int i = 0; i < 40; ++i) (void)after_func(ctx, [] { compute_for(2ms); });
    }
    for (int i = 0; i < 40; ++i) go([] { compute_for(2ms); });
    asked.send(source.request_stop());
  });
  auto [ctx, cancel] = with_timeout(background(), 10s);
  const bool returned = asked.receive(ctx).value_or(false);
  EXPECT_TRUE(returned);
  if (!returned) std::_Exit(1);  // a carrier waits for itself
}

}  // namespace
