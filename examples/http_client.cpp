// SPDX-License-Identifier: MIT
// A polite client: at most 100 requests a second, retries included, of 400 ms each. Its server is a
// local one, on which one page says 503 at first, another nothing, and which checks the rate. Run:
//   example_http_client
#include <httplib.h>
#include <weir/weir.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <iostream>
#include <mutex>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

constexpr int pages = 30, per_second = 100, at_once = 5;

class local_server {
 public:
  local_server() {
    http_.Get(R"(/page/(\d+))", [this](const httplib::Request& request, httplib::Response& answer) {
      const int page = std::stoi(request.matches[1]), visit = count(page);
      if (page == 7 && visit == 1) answer.status = 503;
      if (page == 13) answer.status = 404;
      if (page == 20 && visit == 1) (void)retried_.ctx.done().receive();
      if (page == 20 && visit == 2) retried_.cancel();
      answer.set_content("page " + std::to_string(page), "text/plain");
    });
    port_ = http_.bind_to_any_port("127.0.0.1");
    thread_ = std::jthread([this] { http_.listen_after_bind(); });
    if (!httplib::Client("127.0.0.1", port_).Get("/")) throw std::runtime_error("no server");
  }
  ~local_server() {
    retried_.cancel();
    http_.stop();
  }
  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] bool rate_was_kept() const { return rate_was_kept_; }

 private:
  int count(int page) {
    const std::lock_guard lock(mutex_);
    const std::chrono::duration<double> since = steady_clock::now() - start_;
    if (++visits_ > at_once + per_second * since.count()) rate_was_kept_ = false;
    return ++visits_of_.at(static_cast<std::size_t>(page));
  }
  httplib::Server http_;
  const steady_clock::time_point start_ = steady_clock::now();
  weir::cancellable_context retried_ = weir::with_cancel(weir::background());
  std::mutex mutex_;  // guards the next two
  int visits_ = 0;
  std::array<int, pages + 1> visits_of_{};
  std::atomic<bool> rate_was_kept_{true};
  int port_ = -1;
  std::jthread thread_;
};

/// Throws if there is no answer, or it is one that may be another next time.
httplib::Response fetch(const weir::context& ctx, int port, int page) {
  // The library blocks its thread, and knows no context: it gets the time that is left.
  const auto left = ctx.deadline().value() - steady_clock::now();
  const auto answer = weir::blocking([&] {
    httplib::Client http("127.0.0.1", port);
    http.set_read_timeout(std::max(left, 1ns));
    return http.Get("/page/" + std::to_string(page));
  });
  if (!answer || answer->status >= 500) throw std::runtime_error("no answer for now");
  return *answer;
}

}  // namespace

int main() {
  local_server server;
  auto answers = weir::process(
      weir::background(), std::views::iota(1, pages + 1),
      {.workers = 8,
       .on_error = weir::on_error::collect,
       .timeout = 400ms,
       .retry = {.attempts = 4, .first = 20ms},
       .rate = weir::token_bucket{per_second, at_once}},
      [&](const weir::context& ctx, int page) { return fetch(ctx, server.port(), page); });

  int fetched = 0;
  for (const auto& answer : answers.outcomes()) {
    const int status = answer ? answer.value().status : 0;  // else answer.error() says why
    if (status == 200) ++fetched;
    if (status != 200) std::cout << "page " << answer.index() + 1 << ": " << status << '\n';
  }
  std::cout << fetched << " pages, " << answers.stats().retried << " retries\n"
            << (server.rate_was_kept() ? "the rate was kept\n" : "too many requests\n");
}
