// SPDX-License-Identifier: MIT
// The article's benchmark with Boost.Fiber: its channels, and fibers on one thread, which is how
// it is commonly used. It has no select and no context: a worker pops and pushes. A
// buffered_channel of 1,024 holds 1,023. `unbounded` is a fiber a job, each of which runs at once
// until it must wait (launch::dispatch): with the other policy, all of them would be made before
// the first runs.
#include <boost/fiber/all.hpp>
#include <cstdint>
#include <memory>
#include <vector>

#include "program/program.hpp"

namespace {

namespace fibers = boost::fibers;
using number = std::int64_t;
using buffered = fibers::buffered_channel<number>;
using unbuffered = fibers::unbuffered_channel<number>;
using status = fibers::channel_op_status;

template <class Channel>
std::unique_ptr<Channel> make(std::size_t depth) {
  if constexpr (std::is_same_v<Channel, buffered>) {
    return std::make_unique<Channel>(depth);
  } else {
    return std::make_unique<Channel>();
  }
}

template <class Channel>
std::uint64_t drain(Channel& results) {
  std::uint64_t sum = 0;
  for (number v = 0; results.pop(v) == status::success;) sum += static_cast<std::uint64_t>(v);
  return sum;
}

template <class Channel>
std::uint64_t pool(number n, std::int64_t workers, std::size_t depth) {
  const auto jobs = make<Channel>(depth);
  const auto results = make<Channel>(depth);
  fibers::fiber producer([&] {
    for (number i = 1; i <= n; ++i) jobs->push(i);
    jobs->close();
  });
  std::vector<fibers::fiber> crew;
  for (std::int64_t w = 0; w < workers; ++w) {
    crew.emplace_back([&] {
      for (number job = 0; jobs->pop(job) == status::success;) results->push(job * job);
    });
  }
  fibers::fiber closer([&] {
    for (fibers::fiber& f : crew) f.join();
    results->close();
  });
  const std::uint64_t sum = drain(*results);
  producer.join();
  closer.join();
  return sum;
}

std::uint64_t unbounded(number n, std::size_t depth) {
  buffered results{depth};
  number running = 1;  // one thread: a plain number will do
  const auto ended = [&] {
    if (--running == 0) results.close();
  };
  fibers::fiber producer([&] {
    fibers::pooled_fixedsize_stack stacks;
    for (number i = 1; i <= n; ++i) {
      ++running;
      fibers::fiber(fibers::launch::dispatch, std::allocator_arg, stacks, [&, i] {
        results.push(i * i);
        ended();
      }).detach();
    }
    ended();
  });
  const std::uint64_t sum = drain(results);
  producer.join();
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program p{"fiber", argc, argv};
  const auto workers = p.count("workers", 8);
  const auto depth = static_cast<std::size_t>(p.count("depth", 1024));
  const number n = p.count("jobs", 1'000'000);
  if (p.which() != "pool" && p.which() != "unbounded") p.unknown_case();
  const auto round = [&](number jobs) {
    if (p.which() == "unbounded") return unbounded(jobs, depth);
    return depth == 0 ? pool<unbuffered>(jobs, workers, depth)
                      : pool<buffered>(jobs, workers, depth);
  };
  round(n / 10);  // warm-up
  std::uint64_t sum = 0;
  const double ns = bench::time_ns([&] { sum = round(n); });
  p.check(sum == bench::sum_of_squares(n), "wrong sum: jobs were lost or doubled");
  p.print({{"ns", ns / static_cast<double>(n)}});
}
