// SPDX-License-Identifier: MIT
// A carrier that is stuck in one task does not stop the others: calls that nobody announced, and
// tasks that compute without end.
#include "support.hpp"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace {

using namespace weir_test;
using namespace weir;
using steady = std::chrono::steady_clock;

/// A call that blocks its thread, as a library's might. (tidy: sleep is the subject)
void raw_block(std::chrono::milliseconds d) {
  const timespec t{.tv_sec = d.count() / 1000, .tv_nsec = d.count() % 1000 * 1'000'000};
  nanosleep(&t, nullptr);  // tidy: sleep is the subject
}

void compute_until(const std::atomic<bool>& over) {
  while (!over) {
  }
}

class handoff_test : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(carriers, handoff_test, testing::Values(1, 2, 4),
                         testing::PrintToStringParamName());

struct raw_calls {
  steady::duration all;   // of them
  steady::duration late;  // the worst of the ticks that went on beside them
};

raw_calls make_a_hundred(int carriers) {
  runtime rt{{.carriers = carriers}};
  std::atomic<bool> over{false};
  const channel<steady::duration> latest{1};
  rt.go("ticks", [&, latest] {
    auto worst = steady::duration::zero();
    auto due = steady::now() + 10ms;
    while (!over) {
      weir::sleep_until(due);
      worst = std::max(worst, steady::now() - due);
      due = steady::now() + 10ms;
    }
    latest.send(worst);
  });
  const auto start = steady::now();
  wait_group calls;
  for (int i = 0; i < 100; ++i) {
    calls.add();
    rt.go([calls] {
      raw_block(100ms);
      calls.done();
    });
  }
  calls.wait();
  const auto all = steady::now() - start;
  over = true;
  return {.all = all, .late = *latest.receive()};
}

TEST_P(handoff_test, a_hundred_raw_calls_of_100_ms_take_less_than_a_second_and_the_ticks_go_on) {
  EXPECT_TRUE(in_time([] {  // one after the other they take 2.5 s, on four carriers
    const raw_calls c = make_a_hundred(GetParam());
    return c.all < 1s && c.late < 100ms;
  }));
}

TEST_P(handoff_test, tasks_that_compute_without_end_do_not_stop_the_others) {
  runtime rt{{.carriers = GetParam()}};
  std::atomic<bool> over{false};
  wait_group computing;
  for (int i = 0; i < 3 * GetParam(); ++i) {
    computing.add();
    rt.go([&, computing] {
      compute_until(over);
      computing.done();
    });
  }
  const channel<int> a;
  const channel<int> b;
  rt.go([=] {
    for (int v : a) b.send(v + 1);
  });
  for (int i = 0; i < 20; ++i) {
    a.send(i);
    EXPECT_EQ(b.receive(), i + 1);
  }
  a.close();
  const channel<bool> slept;
  rt.go([=] {
    weir::sleep_for(1ms);
    slept.send(true);
  });
  EXPECT_TRUE(slept.receive());
  over = true;
  computing.wait();
}

TEST_P(handoff_test, run_lends_a_thread_that_may_be_stuck_too) {
  runtime rt{{.carriers = GetParam()}};
  const int result = rt.run([&] {
    const channel<int> out;
    rt.go([out] { out.send(3); });
    raw_block(30ms);
    return *out.receive();
  });
  EXPECT_EQ(result, 3);
}

long threads_now() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Threads:")) return std::stol(line.substr(8));
  }
  return -1;
}

TEST_P(handoff_test, threads_are_reused_and_the_limit_holds_again_afterwards) {
  runtime rt{{.carriers = GetParam()}};
  long most = 0;
  for (int round = 0; round < 5; ++round) {
    wait_group calls;
    for (int i = 0; i < 20; ++i) {
      calls.add();
      rt.go([calls] {
        raw_block(20ms);
        calls.done();
      });
    }
    calls.wait();
    if (round == 0) most = threads_now();
  }
  // Not the same to the last thread: how many are stuck at a time depends on the machine.
  EXPECT_LE(threads_now(), most + 20);
  std::atomic<int> at_once{0};
  std::atomic<int> peak{0};
  until([&] {
    // Those that were stuck go to the bench when they notice, which takes them a switch.
    at_once = 0;
    peak = 0;
    wait_group spread;
    for (int i = 0; i < 50; ++i) {
      spread.add();
      rt.go([&, spread] {
        int now = ++at_once;
        for (int seen = peak; seen < now && !peak.compare_exchange_weak(seen, now);) {
        }
        compute_for(100us);
        --at_once;
        spread.done();
      });
    }
    spread.wait();
    return peak <= GetParam();
  });
}

}  // namespace
