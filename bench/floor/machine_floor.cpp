// SPDX-License-Identifier: MIT
// What this machine can do at best, without any library: the floor that no scheduler gets below.
// Figures are ns an operation, of `n` operations.
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/context/detail/fcontext.hpp>
#include <boost/context/fixedsize_stack.hpp>
#include <cstdint>
#include <memory>
#include <thread>

#include "program/program.hpp"

namespace {

constexpr std::size_t cache_line = 64;

/// The first two CPUs that this process may use; pins the calling thread to the i-th.
void pin(const bench::program& p, int i) {
  static const std::array<int, 2> cpus = [&] {
    cpu_set_t allowed;
    sched_getaffinity(0, sizeof allowed, &allowed);
    std::array<int, 2> found{-1, -1};
    std::size_t n = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE && n < 2; ++cpu) {
      if (CPU_ISSET(cpu, &allowed)) found[n++] = cpu;
    }
    p.check(n == 2, "needs two CPUs");
    return found;
  }();
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpus[static_cast<std::size_t>(i)], &one);
  pthread_setaffinity_np(pthread_self(), sizeof one, &one);
}

/// Runs `first` and `second` on two CPUs at the same time: ns until both have ended.
template <class F, class G>
double on_two_cores(const bench::program& p, F first, G second) {
  pin(p, 0);
  std::atomic<bool> there{false};
  std::thread other([&] {
    pin(p, 1);
    there = true;
    second();
  });
  while (!there) {
  }
  const double ns = bench::time_ns([&] {
    first();
    other.join();
  });
  return ns;
}

/// A line goes there and back: the number in it is raised in turn by the one and the other.
double cache_line_round_trip(const bench::program& p, std::int64_t n) {
  struct alignas(cache_line) line {
    std::atomic<std::int64_t> value{0};
  } shared;
  const auto raise = [&](std::int64_t first) {
    for (std::int64_t v = first; v < 2 * n; v += 2) {
      // Ordering: acquire, release; as a hand-over between two cores needs them.
      while (shared.value.load(std::memory_order_acquire) != v) {
      }
      shared.value.store(v + 1, std::memory_order_release);
    }
  };
  const double ns = on_two_cores(
      p, [&] { raise(0); }, [&] { raise(1); });
  p.check(shared.value == 2 * n, "a turn was lost");
  return ns;
}

double exchange(const bench::program& p, std::int64_t n) {
  std::atomic<std::int64_t> word{0};
  std::int64_t sum = 0;
  const double ns = bench::time_ns([&] {
    for (std::int64_t i = 1; i <= n; ++i) sum += word.exchange(i);
  });
  p.check(sum == n * (n - 1) / 2, "wrong sum");
  return ns;
}

/// One producer, one consumer, each with a copy of the other's index, looked up only when it must.
double ring_between_cores(const bench::program& p, std::int64_t n) {
  constexpr std::int64_t size = 1024;
  struct ring {
    alignas(cache_line) std::atomic<std::int64_t> written{0};
    alignas(cache_line) std::atomic<std::int64_t> read{0};
    alignas(cache_line) std::array<std::int64_t, size> items{};
  };
  const auto r = std::make_unique<ring>();
  std::int64_t sum = 0;
  const auto produce = [&] {
    std::int64_t read = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      // Ordering: acquire; pairs with the consumer's release: the slot is free. Release below;
      // pairs with the consumer's acquire: the item is there.
      while (i - read == size) read = r->read.load(std::memory_order_acquire);
      r->items[static_cast<std::size_t>(i % size)] = i;
      r->written.store(i + 1, std::memory_order_release);
    }
  };
  const auto consume = [&] {
    std::int64_t written = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      // Ordering: as in produce().
      while (i == written) written = r->written.load(std::memory_order_acquire);
      sum += r->items[static_cast<std::size_t>(i % size)];
      r->read.store(i + 1, std::memory_order_release);
    }
  };
  const double ns = on_two_cores(p, consume, produce);
  p.check(sum == n * (n - 1) / 2, "an item was lost or doubled");
  return ns;
}

/// One jump from a stack to another.
double fiber_switch(const bench::program& p, std::int64_t n) {
  namespace ctx = boost::context;
  struct shared {
    std::int64_t turns = 0;
  } state;
  ctx::fixedsize_stack stacks;
  ctx::stack_context stack = stacks.allocate();
  ctx::detail::fcontext_t there =
      ctx::detail::make_fcontext(stack.sp, stack.size, [](ctx::detail::transfer_t t) {
        auto& s = *static_cast<shared*>(t.data);
        for (;;) {
          ++s.turns;
          t = ctx::detail::jump_fcontext(t.fctx, nullptr);
        }
      });
  const double ns = bench::time_ns([&] {
    for (std::int64_t i = 0; i < n; i += 2) {
      there = ctx::detail::jump_fcontext(there, &state).fctx;
    }
  });
  p.check(state.turns == (n + 1) / 2, "a turn was lost");
  stacks.deallocate(stack);
  return ns;
}

double clock_read(const bench::program& p, std::int64_t n) {
  bool backwards = false;
  auto last = bench::clock_type::now();
  const double ns = bench::time_ns([&] {
    for (std::int64_t i = 0; i < n; ++i) {
      const auto now = bench::clock_type::now();
      backwards |= now < last;
      last = now;
    }
  });
  p.check(!backwards, "time went backwards");
  return ns;
}

void futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) {
  static_assert(sizeof word == sizeof(std::uint32_t));
  syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
}

/// From the wake-up in one thread until the other, asleep in the kernel on another CPU, runs.
double futex_wake(const bench::program& p, std::int64_t n) {
  std::atomic<std::uint32_t> word{0};
  const auto total = static_cast<std::uint32_t>(n);
  const auto raise = [&](std::uint32_t first) {
    for (std::uint32_t v = first; v < total; v += 2) {
      for (std::uint32_t seen = word; seen != v; seen = word) {
        futex(word, FUTEX_WAIT_PRIVATE, seen);
      }
      word = v + 1;
      futex(word, FUTEX_WAKE_PRIVATE, 1);
    }
  };
  const double ns = on_two_cores(
      p, [&] { raise(0); }, [&] { raise(1); });
  p.check(word == total, "a wake-up was lost");
  return ns;
}

double thread_start(const bench::program& p, std::int64_t n) {
  std::int64_t ran = 0;
  const double ns = bench::time_ns([&] {
    for (std::int64_t i = 0; i < n; ++i) std::thread([&] { ++ran; }).join();
  });
  p.check(ran == n, "a thread did not run");
  return ns;
}

double allocation(const bench::program& p, std::int64_t n) {
  bool failed = false;
  const double ns = bench::time_ns([&] {
    for (std::int64_t i = 0; i < n; ++i) {
      void* block = ::operator new(128);
      bench::keep(block);
      failed |= block == nullptr;
      ::operator delete(block);
    }
  });
  p.check(!failed, "no memory");
  return ns;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program p{"machine", argc, argv};
  const std::int64_t n = p.count("n", 1'000'000);
  p.check(n % 2 == 0, "n must be even");
  const std::string& which = p.which();
  const auto measure = which == "cache-line"   ? cache_line_round_trip
                       : which == "exchange"   ? exchange
                       : which == "ring"       ? ring_between_cores
                       : which == "switch"     ? fiber_switch
                       : which == "clock"      ? clock_read
                       : which == "futex"      ? futex_wake
                       : which == "thread"     ? thread_start
                       : which == "allocation" ? allocation
                                               : nullptr;
  if (measure == nullptr) p.unknown_case();
  (void)measure(p, std::max<std::int64_t>(n / 20 * 2, 2));  // warm-up
  p.print({{"ns", measure(p, n) / static_cast<double>(n)}});
}
