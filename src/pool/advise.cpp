// SPDX-License-Identifier: MIT
#include "weir/advise.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <exception>
#include <stdexcept>
#include <thread>

#include "weir/go.hpp"
#include "weir/pool.hpp"
#include "weir/runtime.hpp"
#include "weir/sync.hpp"

namespace weir {
namespace detail {
namespace {

using namespace std::chrono_literals;
using nanoseconds = std::chrono::duration<double, std::nano>;
using clock = std::chrono::steady_clock;

/// What the calling thread has used.
struct usage {
  clock::time_point wall = clock::now();
  nanoseconds cpu{0};
  long waits = 0;  // times that it gave up the CPU of its own will

  static usage now() {
    usage u;
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    u.cpu = nanoseconds(static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec));
    rusage r{};
    getrusage(RUSAGE_THREAD, &r);
    u.waits = r.ru_nvcsw;
    return u;
  }
};

/// Runs sample jobs for as long as there are any, and there is time.
void run_sample(const std::function<bool()>& run_next, std::chrono::nanoseconds time, advice& a) {
  const usage begin = usage::now();
  // The clock is looked at after 1, 2, 4… jobs, so that its price does not count beside small ones.
  bool more = true;
  std::int64_t block = 1;
  do {
    const auto since = clock::now();
    for (std::int64_t i = 0; i < block && (more = run_next()); ++i) ++a.sampled;
    if (clock::now() - since < 50us) block *= 2;
  } while (more && clock::now() - begin.wall < time);
  if (a.sampled == 0) throw std::invalid_argument("weir::advise: there is no job in the sample");
  const usage end = usage::now();
  const auto jobs = static_cast<double>(a.sampled);
  a.cpu = (end.cpu - begin.cpu) / jobs;
  // A thread that never waited was taken off the CPU by others: that is not the job's time.
  a.wall = end.waits == begin.waits ? a.cpu : nanoseconds(end.wall - begin.wall) / jobs;
  a.cpu = std::min(a.cpu, a.wall);
}

/// Computes, and nothing else.
void spin(std::int64_t rounds) noexcept {
  for (std::int64_t i = 0; i < rounds; ++i) asm volatile("" : "+r"(i));
}

double nanoseconds_a_round() {
  constexpr std::int64_t rounds = 20'000;
  auto best = nanoseconds::max();
  for (int i = 0; i < 20; ++i) {
    const auto since = clock::now();
    spin(rounds);
    best = std::min(best, nanoseconds(clock::now() - since));
  }
  return best.count() / rounds;
}

/// A job that computes and waits as long as those of the sample.
struct replica {
  std::int64_t rounds;
  std::chrono::nanoseconds wait;
  void operator()() const {
    spin(rounds);
    if (wait.count() > 0) sleep_for(wait);
  }
};

/// The least time a job of a few tries: other programs only add to it.
template <class F>
nanoseconds least(std::int64_t jobs, F run) {
  auto best = nanoseconds::max();
  for (int i = 0; i < 5; ++i) {
    const auto since = clock::now();
    run(jobs);
    best = std::min(best, nanoseconds(clock::now() - since) / static_cast<double>(jobs));
  }
  return best;
}

nanoseconds try_pool(int workers, std::int64_t jobs, const replica& job) {
  const pool p{{.workers = workers}};
  return least(jobs, [&](std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) p.post(job);
    p.wait();
  });
}

nanoseconds try_tasks(std::int64_t jobs, std::int64_t at_once, const replica& job) {
  return least(jobs, [&](std::int64_t left) {
    for (; left > 0; left -= at_once) {
      const wait_group all;
      for (std::int64_t i = 0; i < std::min(left, at_once); ++i) all.go(job);
      all.wait();
    }
  });
}

void try_ways(const advise_options& o, advice& a) {
  const int cpus = default_carriers();
  const double per_cpu = a.wall / std::max(a.cpu, nanoseconds(1));
  const double wanted = std::ceil(static_cast<double>(cpus) * per_cpu - 0.05);
  constexpr std::int64_t most_tasks = 10'000;
  const std::int64_t at_once = o.jobs > 0 ? std::min<std::int64_t>(o.jobs, most_tasks) : most_tasks;
  const auto most = static_cast<double>(std::min<std::int64_t>(o.workers, at_once));
  a.workers = static_cast<int>(std::clamp(wanted, 1.0, most));
  a.in_loop = a.wall;
  const nanoseconds possible = std::max(a.cpu / cpus, a.wall / a.workers);
  const double free_tasks = o.jobs > 0 ? static_cast<double>(o.jobs) : 1e5;
  if (possible > nanoseconds(o.time) / (8 * a.workers)) {
    // So long that it can not be tried in that time, and what a pool costs is nothing beside it.
    a.in_pool = possible;
    a.in_tasks = std::max(a.cpu / cpus, a.wall / free_tasks);
    return;
  }
  const replica job{static_cast<std::int64_t>(a.cpu.count() / nanoseconds_a_round()),
                    std::chrono::duration_cast<std::chrono::nanoseconds>(a.wall - a.cpu)};
  const double in_time = nanoseconds(o.time) / 5 / std::max(possible, nanoseconds(200));
  const auto jobs = std::max<std::int64_t>(static_cast<std::int64_t>(in_time), 2 * a.workers);
  a.in_pool = try_pool(a.workers, jobs, job);
  a.in_tasks = try_tasks(std::min(jobs, most_tasks), at_once, job);
  const nanoseconds price = try_pool(a.workers, 2000, {0, 0ns});  // of a job that does nothing
  a.batch = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::ceil(price / 0.1 / std::max(a.wall, nanoseconds(1)))));
}

void check(const advise_options& o) {
  const auto refuse = [](const std::string& what) {
    throw std::invalid_argument("weir::advise: " + what);
  };
  if (o.time <= 0ns) refuse("time " + std::to_string(o.time.count()) + " ns: use some 50 ms.");
  if (o.jobs < 0) refuse("jobs " + std::to_string(o.jobs) + " is negative: use 0 for unknown.");
  if (o.workers < 1) refuse("workers " + std::to_string(o.workers) + ": at least 1 is needed.");
}

/// Calls f on a thread of its own, which no task shares; what it throws comes out here.
template <class F>
void on_own_thread(F f) {
  std::exception_ptr error;
  blocking([&] {
    std::thread([&] {
      try {
        f();
      } catch (...) {
        error = std::current_exception();
      }
    }).join();
  });
  if (error) std::rethrow_exception(error);
}

}  // namespace

advice advise_core(const std::function<bool()>& run_next, const advise_options& o) {
  check(o);
  advice a;
  on_own_thread([&] {
    run_sample(run_next, o.time, a);
    try_ways(o, a);
  });
  // What is simpler wins unless the other is clearly faster, by more than the measure's own error.
  constexpr double clearly = 0.9;
  auto best = a.in_loop;
  if (a.in_pool < clearly * best) {
    a.best = way::pool;
    best = a.in_pool;
  }
  if (o.jobs > 0 && a.in_tasks < clearly * best) a.best = way::task_each;
  return a;
}

}  // namespace detail

namespace {

std::string spoken(std::chrono::duration<double, std::nano> d) {
  constexpr std::array<const char*, 4> units{"ns", "us", "ms", "s"};
  double value = d.count();
  std::size_t unit = 0;
  for (; value >= 1000 && unit + 1 < units.size(); ++unit) value /= 1000;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g %s", value, units[unit]);
  return text.data();
}

}  // namespace

std::string advice::text() const {
  const double waits = wall.count() > 0 ? 1 - cpu / wall : 0;
  const std::string n = std::to_string(workers);
  std::string out = "A job takes " + spoken(wall);
  out += waits < 0.02 ? std::string(", all of it computing.\n")
                      : ", " + spoken(cpu) + " of it computing.\n";
  out += "In a loop: " + spoken(in_loop) + " a job; a pool of " + n + ": " + spoken(in_pool) +
         "; a task each: " + spoken(in_tasks) + ".\n";
  switch (best) {
    case way::inline_loop: out += "Call them in a loop."; break;
    case way::pool: out += "Use a pool of " + n + "."; break;
    case way::task_each: out += "Use a task each, since there are not too many."; break;
  }
  if (batch > 1) {
    out += " " + std::to_string(batch) + " of them made one job would let a pool work at 90 %.";
  }
  return out + "\n";
}

}  // namespace weir
