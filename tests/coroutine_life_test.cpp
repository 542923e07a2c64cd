// SPDX-License-Identifier: MIT
// Where coroutines go on, and how they end: destroyed while they wait, by exceptions, with their
// runtime; and promise types of other people's.
#include "support.hpp"

#include <atomic>
#include <coroutine>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weir/coroutine.hpp>

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(coroutine_life_test);

/// A coroutine that its caller owns, and starts by making it.
class owned {
 public:
  struct promise_type {
    struct at_end : std::suspend_always {
      void await_suspend(std::coroutine_handle<promise_type> h) noexcept {
        *std::exchange(h.promise().ended, nullptr) = true;
      }
    };
    owned get_return_object() { return owned(handle::from_promise(*this)); }
    std::suspend_never initial_suspend() noexcept { return {}; }
    at_end final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() { std::terminate(); }
    std::shared_ptr<std::atomic<bool>> ended = std::make_shared<std::atomic<bool>>(false);
  };
  owned(owned&& other) noexcept
      : h_(std::exchange(other.h_, nullptr)), ended_(std::move(other.ended_)) {}
  owned& operator=(owned&&) = delete;
  ~owned() { destroy(); }
  void destroy() {
    if (h_ != nullptr) std::exchange(h_, nullptr).destroy();
  }
  [[nodiscard]] bool ended() const { return *ended_; }

 private:
  using handle = std::coroutine_handle<promise_type>;
  explicit owned(handle h) : h_(h), ended_(h.promise().ended) {}
  handle h_;
  std::shared_ptr<std::atomic<bool>> ended_;
};

/// A lazy coroutine with a result, as people write them.
template <class T>
class lazy {
 public:
  struct promise_type {
    lazy get_return_object() { return lazy(handle::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    struct to_caller {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> h) noexcept {
        return h.promise().caller;
      }
      void await_resume() noexcept {}
    };
    to_caller final_suspend() noexcept { return {}; }
    void return_value(T v) { value = std::move(v); }
    void unhandled_exception() { error = std::current_exception(); }
    template <class A>
    decltype(auto) await_transform(A&& awaited) {  // as those have that count, log, or forbid
      return std::forward<A>(awaited);
    }
    std::coroutine_handle<> caller;
    std::optional<T> value;
    std::exception_ptr error;
  };
  lazy(lazy&& other) noexcept : h_(std::exchange(other.h_, nullptr)) {}
  lazy& operator=(lazy&&) = delete;
  ~lazy() {
    if (h_ != nullptr) h_.destroy();
  }
  bool await_ready() noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) {
    h_.promise().caller = caller;
    return h_;
  }
  T await_resume() {
    if (h_.promise().error) std::rethrow_exception(h_.promise().error);
    return std::move(*h_.promise().value);
  }

 private:
  using handle = std::coroutine_handle<promise_type>;
  explicit lazy(handle h) : h_(h) {}
  handle h_;
};

// ---- destruction --------------------------------------------------------------------------------

owned receive_into(channel<int> from, int& got) {
  got = (co_await async_receive(from)).value_or(-1);
}
owned receive_into(context ctx, channel<int> from, int& got) {
  got = (co_await async_receive(ctx, from)).value_or(-1);
}
owned send_from(channel<int> to, int value) { co_await async_send(to, value); }
owned nap() { co_await async_sleep(1h); }
owned wait_done(context ctx) { (void)co_await async_done(ctx); }
owned move_to_task(bool& moved) {
  co_await resume_on_task();
  moved = true;
}

WEIR_RULE(coroutine_life_test, one_that_waits_is_destroyed_and_nobody_touches_it) {
  crew_.run([] {
    const auto [ctx, cancel] = with_cancel(background());
    const channel<int> ch;
    int got = 0;
    {
      const owned a = receive_into(ch, got);
      const owned b = receive_into(ctx, ch, got);
      const owned c = receive_into(ch, got);
    }
    EXPECT_FALSE(ch.try_send(1));
    { const owned d = send_from(ch, 5); }
    EXPECT_FALSE(ch.try_receive());
    {
      const owned e = nap();
      const owned f = wait_done(ctx);
      const owned g = wait_done(background());
    }
    cancel();
    ch.close();
    EXPECT_EQ(got, 0);
  });
}

TEST(coroutine_destruction, what_it_was_given_and_has_not_seen_goes_back) {
  on_virtual_time([] {
    const channel<int> ch;
    const auto [ctx, cancel] = with_cancel(background());
    int got = 0;
    for (int i = 0; i < 3; ++i) {
      owned a = receive_into(ctx, ch, got);
      ch.send(i);   // it is woken, and has not run yet
      a.destroy();  // before it runs: nobody does while this task does not wait
      EXPECT_EQ(ch.receive(), i);
    }
    owned b = send_from(ch, 7);
    EXPECT_EQ(ch.receive(), 7);
    b.destroy();  // that was sent
    EXPECT_FALSE(ch.try_receive());
    bool moved = false;
    { const owned c = move_to_task(moved); }
    yield();
    EXPECT_FALSE(moved);
    EXPECT_EQ(got, 0);
  });
}

/// Between two interruption points nobody else runs, and this coroutine has none after its wake-up:
/// so whoever finds that it has not ended may destroy it. Here also between the claim of its
/// operation and its wake-up.
TEST(coroutine_destruction, at_any_time_nothing_is_lost_under_any_schedule) {
  const auto body = [] {
    const channel<int> ch;
    int got = -1;
    owned a = receive_into(ch, got);
    const wait_group others;
    bool sent = false;
    others.go([&] { sent = ch.try_send(1); });
    schedule_point();
    if (!a.ended()) a.destroy();
    others.wait();
    const bool left = ch.try_receive().has_value();
    require(sent == (got == 1 || left), "a value was lost, or doubled");
  };
  explore(seeds_wanted(), body);
  const exploration all = explore_all({.preemptions = sanitized ? 1 : 2}, body);
  EXPECT_TRUE(all.complete);
}

// ---- exceptions and results ---------------------------------------------------------------------

lazy<int> half(channel<int> from) {
  const int v = (co_await async_receive(from)).value_or(-1);
  if (v % 2 != 0) throw std::domain_error("odd");
  co_return v / 2;
}
lazy<std::string> sum_of_halves(channel<int> from, int n) {
  int sum = 0;
  for (int i = 0; i < n; ++i) {
    bool odd = false;
    try {
      sum += co_await half(from);
    } catch (const std::domain_error&) {
      odd = true;
    }
    if (odd) sum += co_await async_receive(from) ? 1000 : 0;
  }
  co_return std::to_string(sum);
}
detached store(lazy<std::string> from, std::string& into, wait_group ended) {
  into = co_await from;
  ended.done();
}

WEIR_RULE(coroutine_life_test, results_and_exceptions_come_through_other_promise_types) {
  const channel<int> ch;
  std::string result;
  const wait_group ended;
  ended.add();
  store(sum_of_halves(ch, 4), result, ended);
  crew_.spawn([=] {
    for (int v : {2, 4, 5, 0, 8}) ch.send(v);
  });
  crew_.join();
  ended.wait();
  EXPECT_EQ(result, "1007");
}

/// Its move throws when it is told to.
struct fragile {
  explicit fragile(int v) : value(v) {}
  fragile(fragile&& other) : value(other.value), armed(std::exchange(other.armed, false)) {
    if (armed) throw std::runtime_error("moved");
    other.value = -1;
  }
  fragile& operator=(fragile&& other) {
    value = std::exchange(other.value, -1);
    return *this;
  }
  int value;
  bool armed = false;
};

detached send_fragile(context ctx, channel<fragile> to, int& kept, wait_group ended) {
  fragile mine(7);
  if (!co_await async_send(ctx, to, std::move(mine))) kept = mine.value;
  ended.done();
}
detached receive_fragile(channel<fragile> from, int& got, wait_group ended) {
  if (auto v = co_await async_receive(from)) got = v->value;
  ended.done();
}

WEIR_RULE(coroutine_life_test, elements_whose_move_may_throw_are_carried_and_given_back) {
  const channel<fragile> ch;
  const auto [ctx, cancel] = with_cancel(background());
  const wait_group ended;
  ended.add(3);
  int kept = 0;
  int got = 0;
  send_fragile(ctx, ch, kept, ended);
  crew_.spawn([cancel = cancel] { cancel(); });
  crew_.join();
  until([&] { return ended.count() == 2; });
  EXPECT_EQ(kept, 7);
  receive_fragile(ch, got, ended);
  send_fragile(background(), ch, kept, ended);
  ended.wait();
  EXPECT_EQ(got, 7);
}

// ---- where they go on ---------------------------------------------------------------------------

detached note_places(channel<int> from, bool& in_task_before, bool& in_task_after,
                     wait_group ended) {
  in_task_before = this_task::id() != 0;
  (void)co_await async_receive(from);
  in_task_after = this_task::id() != 0;
  ended.done();
}

TEST(coroutine_place, they_go_on_on_a_task_and_not_inside_their_waker) {
  const channel<int> ch;
  const wait_group ended;
  ended.add();
  bool before = true;
  bool after = false;
  note_places(ch, before, after, ended);
  ch.send(1);
  ended.wait();
  EXPECT_FALSE(before);
  EXPECT_TRUE(after);
}

detached block_in_task(channel<int> gate, channel<int> ch, int& got, wait_group ended) {
  co_await resume_on_task();
  (void)gate.receive();  // blocks the task
  got = (co_await async_receive(ch)).value_or(-1);
  ended.done();
}
detached open(channel<int> gate, wait_group ended) {
  co_await resume_on_task();
  gate.send(1);
  ended.done();
}

WEIR_RULE(coroutine_life_test, one_that_blocks_does_not_hold_up_the_others) {
  crew_.run([] {
    const channel<int> gate, ch;
    const wait_group ended;
    ended.add(10);
    std::vector<int> got(5, 0);
    for (int& g : got) block_in_task(gate, ch, g, ended);
    for (int i = 0; i < 5; ++i) open(gate, ended);
    for (int i = 0; i < 5; ++i) ch.send(3);
    ended.wait();
    EXPECT_EQ(got, std::vector<int>(5, 3));
  });
}

detached block_when_told(channel<int> start, channel<int> gate, wait_group ended) {
  (void)co_await async_receive(start);
  (void)gate.receive();  // blocks the task, until the one that was woken with it has run
  ended.done();
}
detached open_when_told(channel<int> start, channel<int> gate, wait_group ended) {
  (void)co_await async_receive(start);
  gate.send(1);
  ended.done();
}

WEIR_RULE(coroutine_life_test, one_that_blocks_does_not_hold_up_those_woken_with_it) {
  crew_.run([] {
    const channel<int> stay, gate;
    int got = 0;
    const owned keeps_runners = receive_into(stay, got);
    for (int round = 0; round < 3; ++round) {  // from the second on runners are parked already
      const channel<int> start;
      const wait_group ended;
      ended.add(2);
      block_when_told(start, gate, ended);
      open_when_told(start, gate, ended);
      start.close();
      ended.wait();
    }
  });
}

detached hop(runtime& other, bool& arrived, wait_group ended) {
  co_await resume_on_task(other);
  arrived = this_task::id() != 0;
  co_await resume_on_task();
  co_await async_sleep(1us);
  ended.done();
}

TEST(coroutine_place, a_runtime_waits_for_those_that_are_suspended_on_it) {
  const wait_group ended;
  ended.add();
  bool arrived = false;
  {
    runtime other{{.carriers = 2}};
    hop(other, arrived, ended);
  }
  EXPECT_EQ(ended.count(), 0);
  EXPECT_TRUE(arrived);
}

detached note_value(channel<int> from, int& got, wait_group ended) {
  got = (co_await async_receive(from)).value_or(-1);
  ended.done();
}

TEST(coroutine_place, many_that_wait_are_few_tasks) {
  const int n = turns(20'000);
  runtime rt{{.carriers = 2}};
  rt.run([&] {
    const channel<int> ch;
    const wait_group ended;
    ended.add(n);
    std::vector<int> got(static_cast<std::size_t>(n), 0);
    for (int& g : got) note_value(ch, g, ended);
    yield();
    EXPECT_LE(rt.tasks(), 6U);
    ch.close();
    ended.wait();
  });
}

TEST(coroutine_place, explore_reports_one_that_nobody_can_wake) {
  try {
    explore({.seeds = 3, .quiet = true}, [] {
      const channel<int> ch;
      const wait_group never;
      bool b = false;
      note_places(ch, b, b, never);
    });
    FAIL();
  } catch (const schedule_failure& e) {
    EXPECT_NE(std::string(e.what()).find("wait for coroutines"), std::string::npos) << e.what();
  }
}

// ---- executors ----------------------------------------------------------------------------------

/// Keeps what it is given until somebody runs it.
struct small_executor {
  std::vector<detail::resumption> jobs;
  auto schedule() {
    return resume_through([this](detail::resumption r) { jobs.push_back(std::move(r)); });
  }
};

detached run_on(small_executor& ex, std::string& what, wait_group ended) {
  try {
    co_await ex.schedule();
    what = "ran";
  } catch (const std::system_error& e) {
    what = e.code() == errc::dropped ? "dropped" : "?";
  }
  ended.done();
}
detached refuse(std::string& what, wait_group ended) {
  try {
    co_await resume_through([](detail::resumption) { throw std::runtime_error("full"); });
  } catch (const std::runtime_error& e) {
    what = e.what();
  }
  try {
    co_await resume_through([](detail::resumption) {});
  } catch (const std::system_error&) {
    what += ", dropped";
  }
  co_await resume_through([](detail::resumption r) { r(); });
  co_await resume_through([](detail::resumption r) { std::thread(std::move(r)).detach(); });
  co_await resume_through([](detail::resumption r) { go(std::move(r)); });
  ended.done();
}
owned wait_at(small_executor& ex) { co_await ex.schedule(); }

WEIR_RULE(coroutine_life_test, an_executor_resumes_them_where_it_likes_or_drops_them) {
  crew_.run([] {
    small_executor ex;
    std::string what[3];
    const wait_group ended;
    ended.add(3);
    run_on(ex, what[0], ended);
    run_on(ex, what[1], ended);
    { const owned gone = wait_at(ex); }
    ex.jobs[0]();
    ex.jobs[2]();
    ex.jobs.clear();
    if (!under_seeds) {
      refuse(what[2], ended);  // has a thread of its own: not for a deterministic runtime
    } else {
      ended.done();
    }
    ended.wait();
    EXPECT_EQ(what[0], "ran");
    EXPECT_EQ(what[1], "dropped");
    EXPECT_EQ(what[2], under_seeds ? "" : "full, dropped");
  });
}

}  // namespace
