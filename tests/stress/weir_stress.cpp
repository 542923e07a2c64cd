// SPDX-License-Identifier: MIT
// Random programs of tasks, threads, channels, selects, cancels and closes, checked for
// conservation: every item whose send succeeded is received exactly once or still in its channel at
// the end; one whose send did not succeed is still its sender's. Usage: weir_stress [--seconds N]
// [--seed S]
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <random>
#include <string_view>
#include <thread>
#include <vector>
#include <weir/weir.hpp>

namespace {

using namespace std::chrono_literals;
using item = std::unique_ptr<std::uint64_t>;
using channel = weir::channel<item>;
using generator = std::mt19937_64;

void fail(std::uint64_t seed, const char* what) {
  std::fprintf(stderr, "weir_stress: %s; replay with --seed %llu\n", what,
               static_cast<unsigned long long>(seed));
  std::abort();
}

/// Aborts if a program takes too long: a hang.
class watchdog {
 public:
  ~watchdog() {
    {
      const std::lock_guard lock(m_);
      over_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  void begin(std::uint64_t seed) {
    const std::lock_guard lock(m_);
    seed_ = seed;
    deadline_ = std::chrono::steady_clock::now() + 60s;
    changed_.notify_all();
  }

 private:
  void watch() {
    std::unique_lock lock(m_);
    while (!over_) {
      changed_.wait_until(lock, deadline_);
      if (!over_ && std::chrono::steady_clock::now() >= deadline_) fail(seed_, "a program hangs");
    }
  }
  std::mutex m_;  // guards the rest
  std::condition_variable changed_;
  std::uint64_t seed_ = 0;
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::now() + 60s;
  bool over_ = false;
  std::thread thread_{[this] { watch(); }};
};

/// What one program is made of.
struct program {
  explicit program(std::uint64_t s) : seed(s), random(s) {
    const auto n = 1 + random() % 4;
    const std::array<int, 5> capacities{0, 0, 1, 3, 64};
    for (std::uint64_t i = 0; i < n; ++i) {
      channels.emplace_back(capacities[random() % capacities.size()]);
    }
    per_sender = random() % 200;
    senders = 1 + random() % 6;
    receivers = 1 + random() % 6;
    states = std::make_unique<std::atomic<int>[]>(senders * per_sender + 1);
  }

  const std::uint64_t seed;
  generator random;
  std::vector<channel> channels;
  std::uint64_t per_sender = 0;
  std::uint64_t senders = 0;
  std::uint64_t receivers = 0;
  std::unique_ptr<std::atomic<int>[]> states;  // by item: how often received
  std::atomic<std::uint64_t> sent{0};
  std::atomic<std::uint64_t> received{0};
  weir::cancellable_context life = weir::with_cancel(weir::background());

  void note_received(const item& i) {
    if (!i || states[*i].fetch_add(1) != 0) fail(seed, "an item came twice, or empty");
    ++received;
  }
};

/// Sends one item in a random way; true if it was taken.
bool send_somehow(program& p, generator& random, item& mine) {
  const channel& a = p.channels[random() % p.channels.size()];
  const channel& b = p.channels[random() % p.channels.size()];
  const weir::context& ctx = p.life.ctx;
  bool sent = false;
  const auto took = [&] { sent = true; };
  switch (random() % 6) {
    case 0: return a.send(ctx, std::move(mine));
    case 1: return a.try_send(std::move(mine));
    case 2: weir::select(weir::on_send(a, mine, took), weir::on_done(ctx)); return sent;
    case 3:
      weir::select(weir::on_send(a, mine, took), weir::on_send(b, mine, took),
                   weir::after(std::chrono::microseconds(random() % 200)));
      return sent;
    case 4: weir::select(weir::on_send(a, mine, took), weir::otherwise()); return sent;
    default: {
      auto [soon, cancel] = weir::with_timeout(ctx, std::chrono::microseconds(random() % 300));
      return a.send(soon, std::move(mine));
    }
  }
}

void sender(program& p, std::uint64_t self) {
  generator random(p.seed * 31 + self);
  for (std::uint64_t i = 0; i < p.per_sender; ++i) {
    const std::uint64_t number = self * p.per_sender + i;
    item mine = std::make_unique<std::uint64_t>(number);
    try {
      if (send_somehow(p, random, mine)) {
        if (mine) fail(p.seed, "a send succeeded and left the item behind");
        ++p.sent;
        continue;
      }
    } catch (const weir::channel_closed&) {
    }
    if (!mine || *mine != number) fail(p.seed, "a send failed and kept the item");
    if (p.life.ctx.cancelled()) return;
  }
}

/// Receives in a random way until cancelled or closed.
void receiver(program& p, std::uint64_t self) {
  generator random(p.seed * 37 + self);
  const weir::context& ctx = p.life.ctx;
  while (!ctx.cancelled()) {
    const channel& a = p.channels[random() % p.channels.size()];
    const channel& b = p.channels[random() % p.channels.size()];
    bool end = false;
    const auto take = [&](std::optional<item> i) {
      if (i) {
        p.note_received(*i);
      } else {
        end = true;
      }
    };
    switch (random() % 5) {
      case 0: take(a.receive(ctx)); break;
      case 1:
        if (auto r = a.try_receive()) p.note_received(*r);
        weir::yield();
        break;
      case 2:
        weir::select(weir::on_receive(a, take), weir::on_receive(b, take), weir::on_done(ctx));
        break;
      case 3:
        weir::select(weir::on_receive(a, take),
                     weir::after(std::chrono::microseconds(random() % 200)));
        break;
      default: {
        std::vector<item> some;
        (void)a.receive_many(ctx, std::back_inserter(some), 1 + random() % 8);
        for (const item& i : some) p.note_received(i);
      }
    }
    if (end && random() % 2 == 0) return;  // closed, or cancelled
  }
}

void check(program& p) {
  std::uint64_t left = 0;
  for (const channel& c : p.channels) {
    while (auto r = c.try_receive()) {
      p.note_received(*r);
      ++left;
    }
  }
  if (p.sent != p.received) fail(p.seed, "items were lost or made");
  (void)left;
}

std::uint64_t run_program(std::uint64_t seed) {
  program p(seed);
  weir::runtime rt{{.carriers = 1 + static_cast<int>(p.random() % 4), .seed = seed}};
  std::vector<std::thread> threads;
  const auto start = [&](auto f, std::uint64_t self) {
    if (p.random() % 4 == 0) {
      threads.emplace_back([&p, f, self] { f(p, self); });
    } else {
      rt.go([&p, f, self] { f(p, self); });
    }
  };
  for (std::uint64_t i = 0; i < p.receivers; ++i) start(receiver, i);
  for (std::uint64_t i = 0; i < p.senders; ++i) start(sender, i);
  // How it ends: after a while somebody closes some channels, and then everything is cancelled.
  weir::sleep_for(std::chrono::microseconds(p.random() % 3000));
  for (const channel& c : p.channels) {
    if (p.random() % 2 == 0) c.close();
  }
  weir::sleep_for(std::chrono::microseconds(p.random() % 3000));
  p.life.cancel();
  for (auto& t : threads) t.join();
  rt.shutdown();
  check(p);
  return p.sent;
}

std::uint64_t number(std::string_view text) {
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) {
    std::fprintf(stderr, "weir_stress: not a number: %.*s\n", static_cast<int>(text.size()),
                 text.data());
    std::exit(2);
  }
  return n;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t seconds = 10;
  std::uint64_t seed = std::random_device()();
  bool one = false;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    if (option == "--seconds") seconds = number(argv[i + 1]);
    if (option == "--seed") {
      seed = number(argv[i + 1]);
      one = true;
    }
  }
  watchdog dog;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  std::uint64_t programs = 0;
  std::uint64_t items = 0;
  do {
    dog.begin(seed + programs);
    items += run_program(seed + programs);
    ++programs;
  } while (std::chrono::steady_clock::now() < end && !(one && seconds == 0));
  std::printf(
      "weir_stress: %llu programs from seed %llu, %llu items: nothing lost, nothing doubled\n",
      static_cast<unsigned long long>(programs), static_cast<unsigned long long>(seed),
      static_cast<unsigned long long>(items));
}
