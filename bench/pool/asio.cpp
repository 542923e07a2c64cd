// SPDX-License-Identifier: MIT
// Boost.Asio's thread_pool. It can be waited for once: each round has a new one, made before the
// clock starts.
#include <boost/asio/packaged_task.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "pool/cases.hpp"

namespace {

class asio {
 public:
  static constexpr const char* name = "asio";
  static constexpr bool waits_once = true;

  asio(int workers, bench::from) : workers_(static_cast<std::size_t>(workers)) {}
  void begin() { pool_.emplace(workers_); }
  template <class F>
  void post(F f) {
    boost::asio::post(*pool_, std::move(f));
  }
  template <class F>
  auto submit(F f) {
    return boost::asio::post(*pool_, std::packaged_task<decltype(f())()>(std::move(f)));
  }
  template <class F>
  void inside(F f) {
    post(std::move(f));
    wait();
  }
  void wait() { pool_->join(); }
  /// Timers need no worker each: they have the pool's threads.
  void timers(std::int64_t n, std::int64_t rounds, std::chrono::nanoseconds period,
              std::vector<double>& late) {
    for (std::int64_t t = 0; t < n; ++t) {
      const auto first = static_cast<std::size_t>(t * rounds);
      again(std::make_shared<boost::asio::steady_timer>(*pool_), period, &late[first],
            &late[first] + rounds);
    }
  }
  static void sleep(std::chrono::nanoseconds d) { std::this_thread::sleep_for(d); }

 private:
  using timer = std::shared_ptr<boost::asio::steady_timer>;

  static void again(timer t, std::chrono::nanoseconds period, double* late, double* end) {
    if (late == end) return;
    const auto due = bench::clock_type::now() + period;
    t->expires_at(due);
    t->async_wait([=](const boost::system::error_code&) {
      *late = bench::ns_between(due, bench::clock_type::now());
      again(t, period, late + 1, end);
    });
  }

  std::size_t workers_;
  std::optional<boost::asio::thread_pool> pool_;
};

}  // namespace

int main(int argc, char** argv) { return bench::run_pool<asio>(argc, argv); }
