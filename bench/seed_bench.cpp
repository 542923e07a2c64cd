// SPDX-License-Identifier: MIT
// The article's benchmark: the same program as go/main.go, line by line, and a third mode, pool-ctx,
// in Weir's own idiom (receive(ctx) and send(ctx, v) in place of a select). Prints one JSON line a
// round. Usage: seed_bench [mode [workers [depth [jobs [rounds]]]]]
#include <weir/weir.hpp>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using channel = weir::channel<int>;

void worker(const weir::context& ctx, const channel& jobs, const channel& results) {
  bool over = false;
  const auto stop = [&] { over = true; };
  while (!over) {
    int job = 0;
    weir::select(weir::on_done(ctx, stop), weir::on_receive(jobs, [&](std::optional<int> j) {
                   if (j) {
                     job = *j;
                   } else {
                     over = true;
                   }
                 }));
    if (over) return;
    weir::select(weir::on_done(ctx, stop), weir::on_send(results, job * 2));
  }
}

void worker_with_context(const weir::context& ctx, const channel& jobs, const channel& results) {
  while (auto job = jobs.receive(ctx)) {
    if (!results.send(ctx, *job * 2)) return;
  }
}

std::int64_t drain(const channel& results) {
  std::int64_t sum = 0;
  for (const int v : results) sum += v;
  return sum;
}

template <class Worker>
std::int64_t pool(int n, int workers, int depth, Worker work) {
  auto [ctx, cancel] = weir::with_cancel(weir::background());
  const channel jobs{depth};
  const channel results{depth};
  weir::go([=] {
    for (int i = 0; i < n; ++i) jobs.send(i);
    jobs.close();
  });
  const weir::wait_group crew;
  for (int w = 0; w < workers; ++w) {
    crew.go([=, ctx = ctx] { work(ctx, jobs, results); });
  }
  weir::go([=] {
    crew.wait();
    results.close();
  });
  return drain(results);
}

std::int64_t unbounded(int n, int depth) {
  const channel results{depth};
  weir::go([=] {
    const weir::wait_group running;
    for (int i = 0; i < n; ++i) {
      running.go([=] { results.send(i * 2); });
    }
    running.wait();
    results.close();
  });
  return drain(results);
}

std::int64_t round(const std::string& mode, int n, int workers, int depth) {
  return weir::run([&]() -> std::int64_t {
    if (mode == "unbounded") return unbounded(n, depth);
    if (mode == "pool-ctx") return pool(n, workers, depth, worker_with_context);
    return pool(n, workers, depth, worker);
  });
}

int number(int argc, char** argv, int at, int otherwise) {
  if (at >= argc) return otherwise;
  const std::string text = argv[at];
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    std::fprintf(stderr, "seed_bench: \"%s\" is not a count\n", argv[at]);
    std::exit(2);
  }
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "pool";
  const int workers = number(argc, argv, 2, 8);
  const int depth = number(argc, argv, 3, 1024);
  const int n = number(argc, argv, 4, 1'000'000);
  const int rounds = number(argc, argv, 5, 1);
  round(mode, n / 10, workers, depth);  // warm-up
  for (int r = 0; r < rounds; ++r) {
    const auto start = std::chrono::steady_clock::now();
    const std::int64_t sum = round(mode, n, workers, depth);
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
    if (sum != std::int64_t{n} * (n - 1)) {
      std::fprintf(stderr, "wrong sum: jobs were lost or doubled\n");
      return 1;
    }
    std::printf(
        R"({"impl":"weir","mode":"%s","workers":%d,"depth":%d,"jobs":%d,"ns_per_job":%.2f})" "\n",
        mode.c_str(), workers, depth, n, spent.count() / n);
  }
}
