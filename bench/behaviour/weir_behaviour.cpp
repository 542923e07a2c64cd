// SPDX-License-Identifier: MIT
// How Weir behaves where pools and channels hang or lose something. Each program of this folder is
// `<program> <case>`, with the answers of tests/hangs/hangs.hpp:
//   cancel   a submit that waits for room is cancelled
//   close    a channel is closed on which one waits to send, and one waits to receive
//   select   selects of both sides race with timeouts: is a value lost, or doubled?
//   spin     two jobs, each of which computes until the other has begun
// A peer cannot be asked whether somebody waits in it already: `soon` is long enough for that.
#include <atomic>
#include <cstdint>
#include <optional>
#include <weir/weir.hpp>

#include "../../tests/hangs/hangs.hpp"

namespace {

using namespace std::chrono_literals;
constexpr auto soon = 50ms;

void cancel() {
  auto [ctx, cancel] = weir::with_cancel(weir::background());
  const weir::channel<int> gate;
  weir::pool p{{.workers = 1, .queue = 1}};
  p.post([=] { (void)gate.receive(); });
  p.post([] {});
  std::error_code error;
  const weir::wait_group submitter;
  submitter.go([&, ctx = ctx] {
    try {
      (void)p.submit(ctx, [] {});
    } catch (const std::system_error& e) {
      error = e.code();
    }
  });
  weir::sleep_for(soon);
  cancel();
  submitter.wait();
  gate.close();
  hangs::judge(error == weir::errc::cancelled, "submit(ctx, f) throws " + error.message());
}

void closing() {
  const weir::channel<int> full;
  const weir::channel<int> empty;
  std::atomic<bool> sender{false};
  std::atomic<bool> receiver{false};
  const weir::wait_group both;
  both.go([&] {
    try {
      full.send(1);
    } catch (const weir::channel_closed&) {
      sender = true;
    }
  });
  both.go([&] { receiver = !empty.receive(); });
  weir::sleep_for(soon);
  full.close();
  empty.close();
  both.wait();
  hangs::judge(sender && receiver, "send throws channel_closed, receive is empty");
}

void selecting() {
  constexpr std::int64_t n = 5'000;
  const weir::channel<std::int64_t> a;
  const weir::channel<std::int64_t> b;
  std::atomic<std::int64_t> sum{0};
  const weir::wait_group consumers;
  for (int c = 0; c < 4; ++c) {
    consumers.go([=, &sum] {
      for (bool open = true; open;) {
        const auto take = [&](std::optional<std::int64_t> v) {
          open = v.has_value();
          sum += v.value_or(0);
        };
        weir::select(weir::on_receive(a, take), weir::on_receive(b, take), weir::after(20us));
      }
    });
  }
  for (std::int64_t i = 1; i <= n; ++i) {
    for (bool sent = false; !sent;) {
      weir::select(weir::on_send(a, i, [&] { sent = true; }),
                   weir::on_send(b, i, [&] { sent = true; }), weir::after(20us));
    }
  }
  a.close();
  b.close();
  consumers.wait();
  hangs::judge(sum == n * (n + 1) / 2, "each value arrived once");
}

void spin() {
  std::atomic<int> begun{0};
  weir::pool p{{.workers = 2}};
  for (int i = 0; i < 2; ++i) {
    p.post([&] {
      ++begun;
      while (begun < 2) {
      }
    });
  }
  p.wait();
  hangs::judge(true, "the monitor gives the right to run to another thread");
}

}  // namespace

int main(int argc, char** argv) {
  return hangs::run(
      argc, argv, {{"cancel", cancel}, {"close", closing}, {"select", selecting}, {"spin", spin}});
}
