// SPDX-License-Identifier: MIT
// Weir's basic operations, each to be set beside the machine's own (machine_floor.cpp).
// Figures are ns an operation, of `n` operations.
#include <weir/weir.hpp>

#include <cstdint>
#include <optional>
#include <thread>

#include "program/program.hpp"

namespace {

using channel = weir::channel<std::int64_t>;

/// In a task: ns of f().
template <class F>
double timed(F f) {
  return weir::run([&] { return bench::time_ns(f); });
}

double context_check(const bench::program& p, std::int64_t n) {
  auto [ctx, cancel] = weir::with_cancel(weir::background());
  bool over = false;
  const double ns = bench::time_ns([&, &ctx = ctx] {
    for (std::int64_t i = 0; i < n; ++i) {
      over |= ctx.cancelled();
      bench::keep(over);
    }
  });
  p.check(!over, "cancelled by nobody");
  return ns;
}

double send_receive(const bench::program& p, std::int64_t n) {
  const channel ch{16};
  std::int64_t sum = 0;
  const double ns = timed([&] {
    for (std::int64_t i = 0; i < n; ++i) {
      ch.send(i);
      sum += ch.receive().value_or(0);
    }
  });
  p.check(sum == n * (n - 1) / 2, "an item was lost or doubled");
  return ns;
}

double select_of_two(const bench::program& p, std::int64_t n) {
  const channel a{1};
  const channel b{1};
  std::int64_t sum = 0;
  const auto take = [&](std::optional<std::int64_t> v) { sum += v.value_or(0); };
  const double ns = timed([&] {
    for (std::int64_t i = 0; i < n; ++i) {
      (i % 2 == 0 ? a : b).send(i);
      weir::select(weir::on_receive(a, take), weir::on_receive(b, take));
    }
  });
  p.check(sum == n * (n - 1) / 2, "an item was lost or doubled");
  return ns;
}

double yield(const bench::program& p, std::int64_t n) {
  std::int64_t turns = 0;
  const double ns = timed([&] {
    const weir::wait_group both;
    for (int t = 0; t < 2; ++t) {
      both.go([&] {
        for (std::int64_t i = 0; i < n / 2; ++i) {
          ++turns;
          weir::yield();
        }
      });
    }
    both.wait();
  });
  p.check(turns == n, "a turn was lost");
  return ns;
}

/// A value goes to a task that waits, and back.
double ping_pong(const bench::program& p, std::int64_t n) {
  const channel there;
  const channel back;
  std::int64_t sum = 0;
  const double ns = timed([&] {
    weir::go([=] {
      for (const std::int64_t v : there) back.send(v);
      back.close();
    });
    for (std::int64_t i = 0; i < n; ++i) {
      there.send(i);
      sum += back.receive().value_or(0);
    }
    there.close();
    (void)back.receive();
  });
  p.check(sum == n * (n - 1) / 2, "an item was lost or doubled");
  return ns;
}

double go_and_join(const bench::program& p, std::int64_t n) {
  std::int64_t ran = 0;
  const double ns = timed([&] {
    for (std::int64_t i = 0; i < n; ++i) {
      const weir::wait_group one;
      one.go([&] { ++ran; });
      one.wait();
    }
  });
  p.check(ran == n, "a task did not run");
  return ns;
}

/// What two plain threads send each other, one way, through a channel that holds 1,024.
double between_threads(const bench::program& p, std::int64_t n) {
  const channel ch{1024};
  std::int64_t sum = 0;
  const double ns = bench::time_ns([&] {
    std::thread producer([=] {
      for (std::int64_t i = 0; i < n; ++i) ch.send(i);
      ch.close();
    });
    for (const std::int64_t v : ch) sum += v;
    producer.join();
  });
  p.check(sum == n * (n - 1) / 2, "an item was lost or doubled");
  return ns;
}

/// A plain thread wakes another one, which waits in receive(): ns a hand-over.
double wake_thread(const bench::program& p, std::int64_t n) {
  const channel there;
  const channel back;
  std::int64_t sum = 0;
  const double ns = bench::time_ns([&] {
    std::thread other([=] {
      for (const std::int64_t v : there) back.send(v);
    });
    for (std::int64_t i = 0; i < n; i += 2) {
      there.send(i);
      sum += back.receive().value_or(0);
    }
    there.close();
    other.join();
  });
  p.check(sum == n / 2 * (n / 2 - 1), "an item was lost or doubled");
  return ns;
}

double pool_job(const bench::program& p, std::int64_t n) {
  std::int64_t ran = 0;  // one worker: a plain number will do
  const double ns = timed([&] {
    weir::pool pool{{.workers = 1, .queue = 1024}};
    for (std::int64_t i = 0; i < n; ++i) pool.post([&ran] { ++ran; });
    pool.close();
    pool.wait();
  });
  p.check(ran == n, "a job was lost or doubled");
  return ns;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program p{"weir", argc, argv};
  const std::int64_t n = p.count("n", 1'000'000);
  p.check(n % 2 == 0, "n must be even");
  const std::string& which = p.which();
  const auto measure = which == "context-check"  ? context_check
                       : which == "send-receive" ? send_receive
                       : which == "select"       ? select_of_two
                       : which == "yield"        ? yield
                       : which == "ping-pong"    ? ping_pong
                       : which == "go-join"      ? go_and_join
                       : which == "threads"      ? between_threads
                       : which == "wake-thread"  ? wake_thread
                       : which == "pool-job"     ? pool_job
                                                 : nullptr;
  if (measure == nullptr) p.unknown_case();
  (void)measure(p, std::max<std::int64_t>(n / 20 * 2, 2));  // warm-up
  p.print({{"ns", measure(p, n) / static_cast<double>(n)}});
}
