// SPDX-License-Identifier: MIT
// A rate-limited client: 60 pages from a server that allows 200 requests a second, 10 of them at
// once, and that is out of order now and then. The pool keeps the rate, whatever its workers do,
// and tries again what failed; no worker is held by a job that waits for its next attempt.
#include <httplib.h>
#include <weir/weir.hpp>

#include <atomic>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

constexpr int per_second = 200;
constexpr int at_once = 10;
constexpr int pages = 60;

/// Page n says n squared; every tenth is unavailable when it is first asked for.
class local_server {
 public:
  local_server() : port_(server_.bind_to_any_port("127.0.0.1")), asked_(pages) {
    server_.Get(R"(/page/(\d+))",
                [this](const httplib::Request& request, httplib::Response& reply) {
                  const int n = std::stoi(request.matches[1]);
                  ++requests_;
                  if (n % 10 == 0 && asked_[static_cast<std::size_t>(n)]++ == 0) {
                    reply.status = 503;
                  } else {
                    reply.set_content(std::to_string(n * n), "text/plain");
                  }
                });
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~local_server() {
    server_.stop();
    thread_.join();
  }
  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] int requests() const { return requests_; }

 private:
  httplib::Server server_;
  int port_;
  std::vector<std::atomic<int>> asked_;
  std::atomic<int> requests_{0};
  std::thread thread_;
};

/// What a worker has for itself: a connection that stays open.
using client = httplib::Client;

int fetch(client& http, int page) {
  // The library's call blocks its thread: say so, and the other workers go on.
  const auto reply = weir::blocking([&] { return http.Get("/page/" + std::to_string(page)); });
  if (!reply) throw std::runtime_error("no answer: " + httplib::to_string(reply.error()));
  if (reply->status != 200) throw std::runtime_error("status " + std::to_string(reply->status));
  return std::stoi(reply->body);
}

int main() {
  const local_server server;
  while (!client("127.0.0.1", server.port()).Get("/")) {  // until it listens
  }
  const auto begin = clock_type::now();
  weir::pool<client> p{{.workers = 8,
                        .timeout = 5s,
                        .retry = {.attempts = 4, .first = 10ms},
                        .rate = weir::token_bucket{per_second, at_once}},
                       [&] {
                         client http("127.0.0.1", server.port());
                         http.set_keep_alive(true);
                         return http;
                       }};
  std::vector<weir::future<int>> replies;
  for (int n = 0; n < pages; ++n) {
    replies.push_back(p.submit([n](const weir::context&, client& http) { return fetch(http, n); }));
  }
  long sum = 0;
  for (auto& reply : replies) sum += reply.get();

  const std::chrono::duration<double> took = clock_type::now() - begin;
  std::cout << "sum of " << pages << " squares: " << sum << '\n'
            << server.requests() << " requests, " << p.stats().retried << " of them again\n"
            << (server.requests() <= at_once + per_second * took.count() ? "rate kept" : "too fast")
            << '\n';
}
