// SPDX-License-Identifier: MIT
// adaptive_bench [seconds]: does weir::adaptive find the number of workers? First a sweep finds the
// best fixed number; then the same work with adaptive{1, 64}: jobs a second against the best, when
// the count settled, and how far it moved after that.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>
#include <weir/weir.hpp>

namespace {

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

double seconds_since(clock_type::time_point t) {
  return std::chrono::duration<double>(clock_type::now() - t).count();
}

/// Computes for so long, of this thread's CPU time.
void compute(std::chrono::microseconds d) {
  const auto now = [] {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
  };
  for (const auto until = now() + std::chrono::nanoseconds(d).count(); now() < until;) {
  }
}

struct work {
  const char* name;
  std::function<void()> job;
};

struct result {
  double rate = 0;         // jobs a second in the second half
  double settled = 0;      // seconds until the count stayed within 20 % of its last
  std::int64_t least = 0;  // of the counts after that
  std::int64_t most = 0;
};

/// Keeps the queue full for so long.
result measure(const weir::pool<>& p, const work& w, double seconds) {
  const auto begin = clock_type::now();
  std::vector<std::pair<double, int>> counts;
  std::uint64_t done_at_half = 0;
  double half = 0;
  for (double t = 0; t < seconds; t = seconds_since(begin)) {
    if (half == 0 && t >= seconds / 2) {
      half = t;
      done_at_half = p.stats().done;
    }
    counts.emplace_back(t, p.workers());
    const auto slice = clock_type::now() + 20ms;
    while (clock_type::now() < slice) p.post(w.job);
  }
  result r;
  r.rate = static_cast<double>(p.stats().done - done_at_half) / (seconds_since(begin) - half);
  const double last = counts.back().second;
  r.least = r.most = counts.back().second;
  for (auto c = counts.rbegin(); c != counts.rend(); ++c) {
    if (c->second > last * 1.2 || c->second < last * 0.8) {
      r.settled = c->first;
      break;
    }
    r.least = std::min<std::int64_t>(r.least, c->second);
    r.most = std::max<std::int64_t>(r.most, c->second);
  }
  return r;
}

/// The best of the fixed counts.
std::pair<int, double> sweep(const work& w) {
  std::pair<int, double> best{0, 0};
  for (const int n : {1, 2, 4, 8, 16, 24, 32, 48, 64}) {
    weir::pool p{{.workers = n, .queue = 256}};
    const double rate = measure(p, w, 1).rate;
    if (rate > best.second) best = {n, rate};
    (void)p.stop();
  }
  return best;
}

void print(const std::string& name, std::pair<int, double> best, const result& r) {
  std::printf("| %s | %d | %.0f | %.0f | %.2f | %.1f | %ld–%ld |\n", name.c_str(), best.first,
              best.second, r.rate, r.rate / best.second, r.settled, static_cast<long>(r.least),
              static_cast<long>(r.most));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 10;
  const weir::semaphore places{8};
  const std::vector<work> all{
      {"CPU 1 ms", [] { compute(1ms); }},
      {"wait 10 ms", [] { weir::sleep_for(10ms); }},
      {"wait 10 ms in the kernel",
       [] { weir::blocking([] { std::this_thread::sleep_for(10ms); }); }},
      {"CPU 1 ms, wait 9 ms",
       [] {
         compute(1ms);
         weir::sleep_for(9ms);
       }},
      {"a service with 8 places, 10 ms",
       [=] {
         places.acquire();
         weir::sleep_for(10ms);
         places.release();
       }},
  };
  std::printf(
      "| work | best fixed | jobs/s | adaptive jobs/s | ratio | settled after s | then |\n");
  std::printf("| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n");
  std::vector<std::pair<int, double>> best;
  for (const work& w : all) {
    best.push_back(sweep(w));
    weir::pool p{{.workers = weir::adaptive{.min = 1, .max = 64}, .queue = 256}};
    print(w.name, best.back(), measure(p, w, seconds));
    (void)p.stop();
  }
  weir::pool p{{.workers = weir::adaptive{.min = 1, .max = 64}, .queue = 256}};
  print("then: CPU 1 ms", best[0], measure(p, all[0], seconds));
  print("… wait 10 ms", best[1], measure(p, all[1], seconds));
  print("… CPU 1 ms, wait 9 ms", best[3], measure(p, all[3], seconds));
  print("… CPU 1 ms", best[0], measure(p, all[0], seconds));
  (void)p.stop();
  return 0;
}
