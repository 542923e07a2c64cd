// SPDX-License-Identifier: MIT
// What happens to the cost when there is more of it: workers, producers, channels' ends, cases of a
// select, waiters, contexts. Part by part the program of go_scale.go.
#include <unistd.h>
#include <weir/weir.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "program/program.hpp"

namespace {

using channel = weir::channel<std::int64_t>;
using figures = std::vector<bench::figure>;

/// Tasks count themselves just before they wait: a moment later all of them do.
constexpr auto settling = std::chrono::milliseconds(1);

void wait_for(const std::atomic<std::int64_t>& counter, std::int64_t count) {
  while (counter < count) weir::yield();
  weir::sleep_for(settling);
}

/// Bytes of memory that are really there.
double resident() {
  std::ifstream file("/proc/self/statm");
  double size = 0;
  double pages = 0;
  file >> size >> pages;
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

/// A crew that waits for jobs: what is a job, what is a worker's start, what its end?
figures workers(bench::program& p) {
  const auto crew = p.count("workers", 8);
  const auto jobs = p.count("jobs", 200'000);
  const channel in{1024};
  const channel out{1024};
  std::atomic<std::int64_t> there{0};
  const weir::wait_group all;
  const double start = bench::time_ns([&] {
    for (std::int64_t w = 0; w < crew; ++w) {
      all.go([=, &there] {
        ++there;
        for (const std::int64_t job : in) out.send(job * job);
      });
    }
    while (there < crew) weir::yield();
  });
  weir::sleep_for(settling);
  std::uint64_t sum = 0;
  const double work = bench::time_ns([&] {
    weir::go([=] {
      for (std::int64_t i = 1; i <= jobs; ++i) in.send(i);
    });
    for (std::int64_t i = 0; i < jobs; ++i) {
      sum += static_cast<std::uint64_t>(out.receive().value_or(0));
    }
  });
  const double end = bench::time_ns([&] {
    in.close();
    all.wait();
  });
  p.check(sum == bench::sum_of_squares(jobs), "jobs were lost or doubled");
  return {{"ns", work / static_cast<double>(jobs)},
          {"start", start / static_cast<double>(crew)},
          {"end", end / static_cast<double>(crew)}};
}

/// `from` senders and `to` receivers of one channel.
figures ends(bench::program& p) {
  const auto from = p.count("from", 1);
  const auto to = p.count("to", 1);
  const auto items = p.count("items", 200'000) / (from * to) * (from * to);
  const channel ch{static_cast<std::size_t>(p.count("depth", 0))};
  std::atomic<std::uint64_t> sum{0};
  const double ns = bench::time_ns([&] {
    const weir::wait_group senders;
    for (std::int64_t s = 0; s < from; ++s) {
      senders.go([=] {
        for (std::int64_t i = s + 1; i <= items; i += from) ch.send(i * i);
      });
    }
    const weir::wait_group receivers;
    for (std::int64_t r = 0; r < to; ++r) {
      receivers.go([=, &sum] {
        std::uint64_t mine = 0;
        for (const std::int64_t v : ch) mine += static_cast<std::uint64_t>(v);
        sum += mine;
      });
    }
    senders.wait();
    ch.close();
    receivers.wait();
  });
  p.check(sum == bench::sum_of_squares(items), "items were lost or doubled");
  return {{"ns", ns / static_cast<double>(items)}};
}

/// What a task costs that does nothing but wait.
figures parked(bench::program& p) {
  const auto tasks = p.count("tasks", 100'000);
  const channel gate;
  std::atomic<std::int64_t> there{0};
  const double before = resident();
  const weir::wait_group all;
  for (std::int64_t t = 0; t < tasks; ++t) {
    all.go([=, &there] {
      ++there;
      (void)gate.receive();
    });
  }
  wait_for(there, tasks);
  const double bytes = resident() - before;
  gate.close();
  all.wait();
  p.check(there == tasks, "a task did not run");
  return {{"bytes", bytes / static_cast<double>(tasks)}};
}

/// Receives `items` values by selects over the channels; gives their sum.
template <std::size_t... I>
std::uint64_t select_of(const std::vector<channel>& from, std::int64_t items,
                        std::index_sequence<I...>) {
  std::uint64_t sum = 0;
  const auto take = [&](std::optional<std::int64_t> v) {
    sum += static_cast<std::uint64_t>(v.value_or(0));
  };
  for (std::int64_t i = 0; i < items; ++i) weir::select(weir::on_receive(from[I], take)...);
  return sum;
}

std::uint64_t select_of_span(const std::vector<channel>& from, std::int64_t items) {
  std::uint64_t sum = 0;
  const auto take = [&](std::optional<std::int64_t> v) {
    sum += static_cast<std::uint64_t>(v.value_or(0));
  };
  std::vector<weir::select_case> cases;
  for (const channel& ch : from) cases.emplace_back(weir::on_receive(ch, take));
  for (std::int64_t i = 0; i < items; ++i) weir::select(cases);
  return sum;
}

/// Another task sends to the channels in turn: capacity 0, so that the select has to wait in all
/// queues, or enough that one case is ready nearly always.
figures select_cases(bench::program& p) {
  const auto count = p.count("cases", 2);
  const auto items = p.count("items", 200'000);
  const auto depth = static_cast<std::size_t>(p.count("depth", 0));
  std::vector<channel> from;
  for (std::int64_t c = 0; c < count; ++c) from.emplace_back(depth);
  std::uint64_t sum = 0;
  const double ns = bench::time_ns([&] {
    weir::go([=] {
      for (std::int64_t i = 1; i <= items; ++i) {
        from[static_cast<std::size_t>(i % count)].send(i * i);
      }
    });
    sum = count == 2   ? select_of(from, items, std::make_index_sequence<2>())
          : count == 8 ? select_of(from, items, std::make_index_sequence<8>())
                       : select_of_span(from, items);
  });
  p.check(sum == bench::sum_of_squares(items), "items were lost or doubled");
  return {{"ns", ns / static_cast<double>(items)}};
}

/// From cancel() until the last waiter runs again.
figures cancel_waiters(bench::program& p) {
  const auto waiters = p.count("waiters", 1000);
  const auto turns = p.count("turns", 1);
  std::vector<double> times;
  for (std::int64_t turn = 0; turn < turns; ++turn) {
    auto [ctx, cancel] = weir::with_cancel(weir::background());
    const channel never;
    std::atomic<std::int64_t> there{0};
    const weir::wait_group all;
    for (std::int64_t w = 0; w < waiters; ++w) {
      all.go([&, ctx = ctx, never] {
        ++there;
        (void)never.receive(ctx);
      });
    }
    wait_for(there, waiters);
    times.push_back(bench::time_ns([&, &cancel = cancel] {
      cancel();
      all.wait();
    }));
  }
  std::sort(times.begin(), times.end());
  return {{"ns", bench::percentile(times, 0.5) / static_cast<double>(waiters)}};
}

/// A chain of contexts, or a root with many children: what does it cost to derive one, to cancel
/// the root with all below it, and to ask the last one for a value that the first has?
figures context_tree(bench::program& p, bool deep) {
  const auto count = p.count("contexts", 1000);
  const auto root = weir::with_cancel(weir::with_value(weir::background(), 7, 42));
  std::vector<weir::cancellable_context> all;
  all.reserve(static_cast<std::size_t>(count));
  const double make = bench::time_ns([&] {
    for (std::int64_t i = 0; i < count; ++i) {
      all.push_back(weir::with_cancel(deep && i > 0 ? all.back().ctx : root.ctx));
    }
  });
  const auto asked = std::max<std::int64_t>(200'000 / count, 5);
  std::int64_t found = 0;
  const double value = bench::time_ns([&] {
    for (std::int64_t i = 0; i < asked; ++i) found += *all.back().ctx.value<int>(7);
  });
  const double cancel = bench::time_ns([&] { root.cancel(); });
  std::int64_t cancelled = 0;
  for (const auto& c : all) cancelled += c.ctx.error() == weir::errc::cancelled ? 1 : 0;
  p.check(cancelled == count && found == 42 * asked, "a context was forgotten");
  const auto n = static_cast<double>(count);
  return {{"ns", cancel / n}, {"make", make / n}, {"value", value / static_cast<double>(asked)}};
}

}  // namespace

int main(int argc, char** argv) {
  bench::program p{"weir", argc, argv};
  const std::map<std::string, figures (*)(bench::program&)> cases{
      {"workers", workers},
      {"ends", ends},
      {"parked", parked},
      {"select", select_cases},
      {"cancel", cancel_waiters},
      {"deep", [](bench::program& q) { return context_tree(q, true); }},
      {"broad", [](bench::program& q) { return context_tree(q, false); }}};
  const auto found = cases.find(p.which());
  if (found == cases.end()) p.unknown_case();
  // Not warmed up: memory that is counted must be fresh; and a million take long enough once.
  const bool cold = p.which() == "parked" || p.count("workers", 0) >= 1'000'000;
  if (!cold) (void)weir::run([&] { return found->second(p); });
  p.print(weir::run([&] { return found->second(p); }));
}
