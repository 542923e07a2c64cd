// SPDX-License-Identifier: MIT
#pragma once
// What the tests of the primitives share: a crew that runs functions as tasks, as plain threads, or
// as both in turn, on runtimes of different sizes; and waiting for a condition without a fixed
// sleep.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>
#include <weir/weir.hpp>

namespace weir_test {

using namespace std::chrono_literals;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif
#else
inline constexpr bool sanitized = false;
#endif

/// Fewer turns under a sanitizer, which costs a factor of ten.
constexpr int turns(int n) { return sanitized ? n / 10 : n; }

/// How a test's functions are run.
struct setting {
  enum kind { tasks, threads, mixed };
  kind who;
  int carriers;
};

inline std::string name_of(const testing::TestParamInfo<setting>& info) {
  const char* names[] = {"tasks", "threads", "mixed"};
  return std::string(names[info.param.who]) + "_" + std::to_string(info.param.carriers);
}

inline const auto all_settings = testing::Values(
    setting{setting::tasks, 1}, setting{setting::tasks, 2}, setting{setting::tasks, 4},
    setting{setting::threads, 1}, setting{setting::mixed, 1}, setting{setting::mixed, 2});

/// Runs functions beside each other; join() waits for all of them.
class crew {
 public:
  explicit crew(setting s) : setting_(s), rt_({.carriers = s.carriers}) {}
  ~crew() { join(); }

  void spawn(std::function<void()> f) {
    const bool thread =
        setting_.who == setting::threads || (setting_.who == setting::mixed && spawned_ % 2 == 1);
    ++spawned_;
    if (thread) {
      threads_.emplace_back(std::move(f));
    } else {
      running_.add();
      rt_.go([f = std::move(f), running = running_] {
        f();
        running.done();
      });
    }
  }
  void join() {
    for (auto& t : threads_) t.join();
    threads_.clear();
    running_.wait();
  }
  /// Runs f where the setting says, and waits for it.
  void run(std::function<void()> f) {
    if (setting_.who == setting::threads) {
      f();
    } else {
      rt_.run(f);
    }
  }

 private:
  setting setting_;
  weir::runtime rt_;
  weir::wait_group running_;
  std::vector<std::thread> threads_;
  int spawned_ = 0;
};

/// A primitive's tests, in every setting.
class everywhere : public testing::TestWithParam<setting> {
 protected:
  crew crew_{GetParam()};
};

#define WEIR_EVERYWHERE(suite)                   \
  class suite : public weir_test::everywhere {}; \
  INSTANTIATE_TEST_SUITE_P(, suite, weir_test::all_settings, weir_test::name_of)

/// Yields until `condition`; fails the test after a long while instead of hanging.
template <class Condition>
void until(Condition condition) {
  const auto give_up = std::chrono::steady_clock::now() + 30s;
  while (!condition()) {
    ASSERT_LT(std::chrono::steady_clock::now(), give_up) << "the awaited condition never came";
    weir::yield();
  }
}

/// A context that is done soon: to find that something blocks.
inline weir::cancellable_context soon() { return weir::with_timeout(weir::background(), 20ms); }

}  // namespace weir_test
