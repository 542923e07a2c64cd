// SPDX-License-Identifier: MIT
// The hot paths, each a fixed number of times, with a mark around it for `valgrind
// --tool=callgrind`: scripts/guard counts the instructions of one operation. Run with
// WEIR_CARRIERS=1: main is then the only carrier, and the counts are nearly the same in each run.
// Prints what was compiled with what, and a line `<path> <operations>` each.
#include <gnu/libc-version.h>
#include <valgrind/callgrind.h>
#include <weir/weir.hpp>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "guard/steps_clock.hpp"
#include "program/program.hpp"

namespace {

constexpr int operations = 2000;

/// Counts what f does in `operations` operations, after as many to warm up.
template <class F>
void count(const char* path, F f) {
  f();
  CALLGRIND_ZERO_STATS;
  f();
  CALLGRIND_DUMP_STATS_AT(path);
  std::printf("%s %d\n", path, operations);
}

void send_receive() {
  const weir::channel<int> ch{16};
  count("send-receive", [&] {
    for (int i = 0; i < operations; ++i) {
      ch.send(i);
      std::optional<int> v = ch.receive();
      bench::keep(v);
    }
  });
}

void send_receive_with_context() {
  auto [ctx, cancel] = weir::with_cancel(weir::background());
  const weir::channel<int> ch{16};
  count("send-receive-ctx", [&, ctx = ctx] {
    for (int i = 0; i < operations; ++i) {
      bool sent = ch.send(ctx, i);
      bench::keep(sent);
      std::optional<int> v = ch.receive(ctx);
      bench::keep(v);
    }
  });
}

void ping_pong() {
  const weir::channel<int> there;
  const weir::channel<int> back;
  weir::go([=] {
    for (const int v : there) back.send(v);
    back.close();
  });
  count("ping-pong", [&] {
    for (int i = 0; i < operations; ++i) {
      there.send(i);
      std::optional<int> v = back.receive();
      bench::keep(v);
    }
  });
  there.close();
  (void)back.receive();
}

/// Two cases, the value in one or the other in turn: half of what is counted is the send.
void select_of_two() {
  const weir::channel<int> a{1};
  const weir::channel<int> b{1};
  count("select-2", [&] {
    for (int i = 0; i < operations; ++i) {
      (i % 2 == 0 ? a : b).send(i);
      std::optional<int> got;
      const auto take = [&](std::optional<int> v) { got = v; };
      weir::select(weir::on_receive(a, take), weir::on_receive(b, take));
      bench::keep(got);
    }
  });
}

void go_and_join() {
  count("go-join", [] {
    for (int i = 0; i < operations; ++i) {
      const weir::wait_group one;
      one.go([i] {
        int v = i;
        bench::keep(v);
      });
      one.wait();
    }
  });
}

void pool_post() {
  weir::pool pool{{.workers = 1, .queue = 256}};
  const weir::channel<int> done;
  count("pool-post", [&] {
    for (int i = 0; i < operations - 1; ++i) {
      pool.post([i] {
        int v = i;
        bench::keep(v);
      });
    }
    pool.post([=] { done.send(0); });  // in order: all before it have run
    (void)done.receive();
  });
}

void future_get() {
  weir::pool pool{{.workers = 1, .queue = 256}};
  count("submit-get", [&] {
    for (int i = 0; i < operations; ++i) {
      int v = pool.submit([i] { return i; }).get();
      bench::keep(v);
    }
  });
}

void context_check() {
  auto [ctx, cancel] = weir::with_cancel(weir::background());
  count("context-check", [&, ctx = ctx] {
    for (int i = 0; i < operations; ++i) {
      bool over = ctx.cancelled() || static_cast<bool>(ctx.error());
      bench::keep(over);
    }
  });
}

}  // namespace

int main() {
  // With others the two clocks, of this thread and of theirs, would be compared.
  const char* const carriers = std::getenv("WEIR_CARRIERS");
  if (carriers == nullptr || carriers != std::string_view("1")) {
    std::fputs("guard_hot_paths: run it with WEIR_CARRIERS=1\n", stderr);
    return 2;
  }
  std::printf("built-with g++ %s, libc %s\n", __VERSION__, gnu_get_libc_version());
  weir::run([] {
    bench::count_in_steps();
    send_receive();
    send_receive_with_context();
    ping_pong();
    select_of_two();
    go_and_join();
    pool_post();
    future_get();
    context_check();
  });
}
