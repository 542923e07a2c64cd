// SPDX-License-Identifier: MIT
#pragma once
// What the tests of the primitives share: a crew that runs functions as tasks, as plain threads, or
// as both in turn, on runtimes of different sizes, or under many schedules of a deterministic one;
// and waiting for a condition without a fixed sleep.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>
#include <weir/testing.hpp>
#include <weir/weir.hpp>

#include "weir/detail/sanitizers.hpp"

namespace weir_test {

using namespace std::chrono_literals;

inline constexpr bool sanitized = weir::detail::with_asan || weir::detail::with_tsan;

/// May a forked child allocate, as one does that throws? Not with AddressSanitizer (clang 16): it
/// leaves its allocator's locks as the parent's other threads held them, and the child waits for
/// one forever. The C library's own allocator is taken through a fork.
inline constexpr bool forked_child_may_allocate = !weir::detail::with_asan;

/// True while explore() runs a rule: each run is one schedule of a thousand.
inline bool under_seeds = false;

/// Fewer turns under a sanitizer, which costs a factor of ten, and of a rule under many schedules.
inline int turns(int n) {
  if (under_seeds) return std::clamp(n / 1000, 1, 3);
  return sanitized ? std::max(n / 10, 1) : n;
}

/// What f throws, if that is an E; none if it returns.
template <class E, class F>
std::optional<E> thrown_by(F f) {
  try {
    f();
  } catch (const E& e) {
    return e;
  }
  return std::nullopt;
}

/// The code with which f fails; none if it returns.
template <class F>
std::error_code error_of(F f) {
  const auto e = thrown_by<std::system_error>(std::move(f));
  return e ? e->code() : std::error_code();
}

/// What f says of an argument that it refuses; nothing if it returns.
template <class F>
std::string refusal(F f) {
  const auto e = thrown_by<std::invalid_argument>(std::move(f));
  return e ? e->what() : "";
}

/// Keeps its processor for so long.
inline void compute_for(std::chrono::nanoseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

/// WEIR_SEEDS, or a thousand; fewer under a sanitizer.
std::uint64_t seeds_wanted();

/// How a rule's functions are run: as tasks, as plain threads, as both in turn, or as tasks of a
/// deterministic runtime under many schedules.
struct setting {
  enum kind { tasks, threads, mixed, seeds };
  kind who;
  int carriers;
};

std::string name_of(const testing::TestParamInfo<setting>& info);

/// All of them, as testing::Values() gives them. (To make the crew and these in each program took
/// the compiler half a second.)
testing::internal::ParamGenerator<setting> all_settings();

/// Runs functions beside each other; join() waits for all of them.
class crew {
 public:
  explicit crew(setting s);
  ~crew() { join(); }

  void spawn(std::function<void()> f);
  void join();
  [[nodiscard]] bool is_threads() const { return setting_.who == setting::threads; }
  /// Runs f where the setting says, and waits for it.
  void run(std::function<void()> f);

 private:
  setting setting_;
  std::optional<weir::runtime> rt_;
  weir::wait_group running_;
  std::vector<std::thread> threads_;
  int spawned_ = 0;
};

using rule = void (*)(crew&);

/// Runs the rule under seeds_wanted() schedules; a failed EXPECT fails its schedule.
void hold_under_seeds(rule body, weir::explore_options options = {});

/// Runs it in that setting.
void hold(setting s, rule body);

class everywhere : public testing::TestWithParam<setting> {};

/// A suite of rules; and a rule, whose body, with `crew_` to run things on, is run in all settings.
#define WEIR_RULES(suite)                        \
  class suite : public weir_test::everywhere {}; \
  INSTANTIATE_TEST_SUITE_P(, suite, weir_test::all_settings(), weir_test::name_of)
#define WEIR_RULE(suite, name)                                      \
  void rule_##name(weir_test::crew& crew_);                         \
  TEST_P(suite, name) { weir_test::hold(GetParam(), rule_##name); } \
  void rule_##name([[maybe_unused]] weir_test::crew& crew_)

/// Yields until `condition`; fails the test after a long while instead of hanging.
template <class Condition>
void until(Condition condition) {
  const auto give_up = std::chrono::steady_clock::now() + 30s;
  while (!condition()) {
    ASSERT_LT(std::chrono::steady_clock::now(), give_up) << "the awaited condition never came";
    weir::yield();
  }
}

/// f(), as a task of a runtime of one carrier on a virtual clock. There yield() returns only when
/// all who were ready have had their turn, and what was woken runs when the running task waits. On
/// a real clock a carrier may be relieved of its tasks, one carrier or not, when the machine is
/// busy.
template <class F>
auto on_virtual_time(F f) {
  weir::runtime rt{{.carriers = 1, .clock = weir::clock_kind::virtual_time}};
  return rt.run(std::move(f));
}

/// Whether `attempt()` is true in one of eight tries: for what must be done in time. A machine that
/// others use, too, is late by itself now and then; what is broken is late each time.
template <class Attempt>
[[nodiscard]] bool in_time(Attempt attempt) {
  for (int i = 0; i < 8; ++i) {
    if (attempt()) return true;
  }
  return false;
}

/// A context that is done soon: to find that something blocks.
inline weir::cancellable_context soon() { return weir::with_timeout(weir::background(), 20ms); }

}  // namespace weir_test
