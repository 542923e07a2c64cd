// SPDX-License-Identifier: MIT
// A job that was submitted with a context is over with it, unless it runs: however one waits.
#include <memory>
#include <vector>

#include <weir/pool_coroutine.hpp>

#include "support.hpp"

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(future_context_test);

/// `wait` gets the future of a job that is queued in a pool that starts none, and whose context
/// ends before, during or after that.
template <class Wait>
void expect_to_be_over_with_its_context(Wait wait) {
  const pool p{{.workers = 1}};
  p.pause();
  const auto own = with_cancel(background());
  future<int> f = p.submit(own.ctx, [] { return 1; });
  go([cancel = own.cancel] { cancel(); });
  wait(std::move(f));
  EXPECT_EQ(p.stats().cancelled, 1U);
  EXPECT_EQ(p.stats().depth, 0);
}

void expect_cancelled(future<int>& f) {
  try {
    (void)f.get();
    ADD_FAILURE() << "the job was not to run";
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), errc::cancelled);
  }
}

WEIR_RULE(future_context_test, get_tells) {
  crew_.run([] { expect_to_be_over_with_its_context([](auto f) { expect_cancelled(f); }); });
}

WEIR_RULE(future_context_test, get_with_a_context_tells) {
  crew_.run([] {
    expect_to_be_over_with_its_context([](auto f) {
      const auto mine = with_cancel(background());
      EXPECT_TRUE(f.wait(mine.ctx));
      expect_cancelled(f);
    });
  });
}

WEIR_RULE(future_context_test, wait_for_tells) {
  crew_.run([] {
    expect_to_be_over_with_its_context([](auto f) {
      EXPECT_TRUE(f.wait_for(24h));
      expect_cancelled(f);
    });
  });
}

WEIR_RULE(future_context_test, a_select_tells) {
  crew_.run([] {
    expect_to_be_over_with_its_context([](auto f) {
      EXPECT_EQ(select(on_ready(f), after(24h)), 0U);
      expect_cancelled(f);
    });
  });
}

WEIR_RULE(future_context_test, wait_any_tells) {
  crew_.run([] {
    expect_to_be_over_with_its_context([](auto f) {
      const pool other{{.workers = 1}};
      other.pause();
      std::vector<future<int>> both;
      both.push_back(other.submit([] { return 2; }));
      both.push_back(std::move(f));
      EXPECT_EQ(wait_any(both) - both.begin(), 1);
      expect_cancelled(both.back());
    });
  });
}

detached awaits(future<int> f, channel<std::error_code> out) {
  std::error_code seen;
  try {
    (void)co_await std::move(f);
  } catch (const std::system_error& e) {
    seen = e.code();
  }
  out.send(seen);
}

WEIR_RULE(future_context_test, co_await_tells) {
  crew_.run([] {
    expect_to_be_over_with_its_context([](auto f) {
      const channel<std::error_code> out{1};
      awaits(std::move(f), out);
      EXPECT_EQ(out.receive(), make_error_code(errc::cancelled));
    });
  });
}

WEIR_RULE(future_context_test, a_posted_job_gives_its_place_back) {
  crew_.run([] {
    const pool p{{.workers = 1, .queue = 1}};
    p.pause();
    const auto own = with_cancel(background());
    p.post(own.ctx, [] { ADD_FAILURE() << "it was not to run"; });
    go([cancel = own.cancel] { cancel(); });
    future<int> next = p.submit([] { return 2; });  // waits until there is room
    p.resume();
    EXPECT_EQ(next.get(), 2);
  });
}

WEIR_RULE(future_context_test, a_job_that_runs_is_not_over_with_its_context) {
  crew_.run([] {
    const pool p{{.workers = 1}};
    const auto own = with_cancel(background());
    const channel<int> begun;
    const channel<int> open;
    future<int> f = p.submit(own.ctx, [=] {
      begun.send(1);
      return open.receive().value_or(0);
    });
    (void)begun.receive();
    const receiver<std::monostate> done = f.done();
    own.cancel();
    open.send(7);
    (void)done.receive();
    EXPECT_EQ(f.get(), 7);
  });
}

WEIR_RULE(future_context_test, a_long_lived_context_keeps_no_job_that_is_over) {
  crew_.run([] {
    const auto own = with_cancel(background());
    const auto result = std::make_shared<int>(7);
    {
      const pool p{{.workers = 1}};
      for (int i = 0; i < 3; ++i) {
        auto f = p.submit(own.ctx, [=] { return result; });
        (void)f.done().receive();
      }
    }
    EXPECT_EQ(result.use_count(), 1);
  });
}

/// Counts those that there are.
class token {
 public:
  explicit token(std::atomic<int>& n) noexcept : alive_(&n) { ++n; }
  token(token&& other) noexcept : token(*other.alive_) {}
  token& operator=(token&&) = delete;
  ~token() { --*alive_; }

 private:
  std::atomic<int>* alive_;
};

WEIR_RULE(future_context_test, what_a_refused_job_holds_has_ended_before_the_caller_hears_of_it) {
  for (int round = 0; round < turns(2000); ++round) {
    std::atomic<int> alive{0};
    const pool p{{.workers = 1}};
    const auto [ctx, cancel] = with_cancel(background());
    const wait_group caller;
    caller.go([&, ctx = ctx] {
      try {
        p.submit(ctx, [held = token(alive)] {}).get();
      } catch (const std::system_error& e) {
        EXPECT_EQ(e.code(), errc::cancelled);
      }
      EXPECT_EQ(alive, 0);
    });
    cancel();
    caller.wait();
  }
}

}  // namespace
