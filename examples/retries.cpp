// SPDX-License-Identifier: MIT
// Retries with backoff hold no worker: the one worker there is gets a job that fails because a
// service is down, and behind it the job that starts the service. While the first waits for its
// next attempt the second runs; so the first succeeds. What can never succeed is not tried again.
//   example_retries
#include <weir/weir.hpp>

#include <iostream>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

namespace {

struct unavailable : std::runtime_error {
  using runtime_error::runtime_error;
};

bool is_worth_another_attempt(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const unavailable&) {
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace

int main() {
  const weir::pool crew{{
      .workers = 1,
      // After 10 ms, 20, 40…, each less a random part, so that not all come back at once.
      .retry = {.attempts = 10, .first = 10ms, .max = 1s, .retry_if = is_worth_another_attempt},
  }};

  bool service_is_up = false;  // only the jobs of one worker touch these: they need no lock
  int attempts = 0;
  weir::future<std::string> reading = crew.submit([&]() -> std::string {
    ++attempts;
    if (!service_is_up) throw unavailable("the service is down");
    return "an answer";
  });
  weir::future<void> start = crew.submit([&] { service_is_up = true; });
  weir::future<void> hopeless = crew.submit([] { throw std::invalid_argument("no such page"); });
  weir::future<void> unlucky =  // a job may have a policy of its own
      crew.submit({.retry = {.attempts = 3, .first = 1ms}},
                  [] { throw unavailable("still down"); });

  start.get();
  std::cout << reading.get() << (attempts > 1 ? ", after another attempt\n" : ", at once\n");
  for (weir::future<void>* failing : {&hopeless, &unlucky}) {
    try {
      failing->get();
    } catch (const std::exception& e) {
      std::cout << "failed: " << e.what() << '\n';
    }
  }
  const weir::pool_stats stats = crew.stats();
  std::cout << stats.done << " done, " << stats.failed << " failed\n";
}
