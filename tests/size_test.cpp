// SPDX-License-Identifier: MIT
// As many as one could want: a million parked tasks, 10^5 timers, contexts and runtimes. Fewer
// under a sanitizer, and where memory is short.
#include "support.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <fstream>
#include <iostream>

namespace {

using namespace weir_test;
using namespace weir;
using steady = std::chrono::steady_clock;

/// A line of /proc/<file> that is "<name>: <number> kB", in KiB; 0 if there is none.
long kib_of(const char* file, const std::string& name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name + ":")) return std::stol(line.substr(name.size() + 1));
  }
  return 0;
}
long resident_kib() { return kib_of("/proc/self/status", "VmRSS"); }

/// Without light guard pages (Linux 6.13) the kernel's limit on mappings comes first.
int parked_tasks() {
  if (sanitized) return 2000;
  const long available = kib_of("/proc/meminfo", "MemAvailable");
  const long fitting = available / 2 / 5;  // 5 KiB each in half of it
  return static_cast<int>(std::min(1'000'000L, fitting));
}

TEST(size_test, r100_a_million_parked_tasks_fit_and_one_close_wakes_them_all) {
  const int n = parked_tasks();
  runtime rt;
  const channel<int> gate;
  wait_group ended;
  std::atomic<int> woken{0};
  const long before = resident_kib();
  const auto start = steady::now();
  rt.run([&] {
    for (int i = 0; i < n; ++i) {
      ended.add();
      rt.go([&, gate, ended] {
        if (!gate.receive()) ++woken;
        ended.done();
      });
      if (i % 100 == 99) yield();  // they run, and park
    }
  });
  until([&] { return rt.tasks() == static_cast<std::size_t>(n); });
  const double each = static_cast<double>(resident_kib() - before) / n;
  const auto made = steady::now();
  gate.close();
  ended.wait();
  const auto over = steady::now();
  std::cout << n << " tasks: " << each << " KiB each; started and parked in "
            << std::chrono::duration<double>(made - start).count() << " s, woken and ended in "
            << std::chrono::duration<double>(over - made).count() << " s\n";
  EXPECT_EQ(woken, n);
  if (!sanitized) {
    EXPECT_LE(each, 6.5);
  }
}

TEST(size_test, r92_r95_a_hundred_thousand_timers_fire) {
  const int n = sanitized ? 2000 : 100'000;
  const long fired = on_virtual_time([&] {
    std::vector<timer> timers;
    timers.reserve(static_cast<std::size_t>(n));
    for (int i = 0; i < n; ++i) {
      timers.emplace_back(std::chrono::microseconds((std::int64_t{i} * 7919) % n + 1));
    }
    // Half of them are stopped; of the rest each fires.
    for (int i = 0; i < n; i += 2) EXPECT_TRUE(timers[static_cast<std::size_t>(i)].stop());
    weir::sleep_for(std::chrono::microseconds(n + 1));
    long count = 0;
    for (auto& t : timers) count += t.channel().try_receive().has_value() ? 1 : 0;
    return count;
  });
  EXPECT_EQ(fired, n / 2);
}

TEST(size_test, a_hundred_thousand_sleepers_wake) {
  const int n = sanitized ? 2000 : 100'000;
  std::atomic<int> woken{0};
  on_virtual_time([&] {
    wait_group all;
    for (int i = 0; i < n; ++i) {
      all.go([&, i] {
        weir::sleep_for(std::chrono::microseconds((std::int64_t{i} * 7919) % n + 1));
        ++woken;
      });
    }
    all.wait();
  });
  EXPECT_EQ(woken, n);
}

TEST(size_test, a_context_tree_of_a_hundred_thousand_is_cancelled_in_one_call) {
  const int n = sanitized ? 5000 : 100'000;
  auto [root, cancel] = with_cancel(background());
  std::vector<cancellable_context> all;
  all.reserve(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) {
    // Of every shape: wide at the root, and chains of up to a thousand.
    const bool deep = i % 1000 != 0;
    all.push_back(with_cancel(deep ? all.back().ctx : root));
  }
  const auto start = steady::now();
  cancel();
  const auto took = steady::now() - start;
  for (const auto& c : all) ASSERT_TRUE(c.ctx.cancelled());
  std::cout << n << " contexts cancelled in "
            << std::chrono::duration<double, std::milli>(took).count() << " ms\n";
  EXPECT_LT(took, 5s);
}

TEST(size_test, a_hundred_thousand_runtimes_come_and_go_without_a_leak) {
  const int n = sanitized ? 1000 : 100'000;
  const auto live = [] { return static_cast<long>(mallinfo2().uordblks) / 1024; };
  const auto descriptors = [] {
    long count = 0;
    for (int i = 0; i < 1024; ++i) count += fcntl(i, F_GETFD) >= 0 ? 1 : 0;
    return count;
  };
  long heap_before = 0;
  long resident_before = 0;
  long maps_before = 0;
  const long open_before = descriptors();
  const auto maps = [] {
    std::ifstream in("/proc/self/maps");
    return std::count(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>(), '\n');
  };
  for (int i = 0; i < n; ++i) {
    if (i == n / 10) {
      heap_before = live();
      resident_before = resident_kib();
      maps_before = maps();
    }
    runtime rt{{.carriers = 1 + i % 2}};
    // Some unused, most with a task, some with a thread of their own.
    if (i % 3 != 0) rt.run([] { yield(); });
    if (i % 20 == 0) rt.go([] { yield(); });
  }
  if (!sanitized) {
    EXPECT_LE(live() - heap_before, 256) << "KiB of heap";
    EXPECT_LE(resident_kib() - resident_before, 4096) << "KiB resident";
  }
  EXPECT_LE(maps() - maps_before, 20);
  EXPECT_EQ(descriptors(), open_before);
}

}  // namespace
