// SPDX-License-Identifier: MIT
#pragma once
// How the model's tests say what they expect: a scenario is sound as it is, and each of its faulty
// variants is caught.

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <vector>

#include "model/weak_memory.hpp"
#include "weir/detail/sanitizers.hpp"

namespace weak_memory {

inline constexpr auto relaxed = std::memory_order_relaxed;
inline constexpr auto acquire = std::memory_order_acquire;
inline constexpr auto release = std::memory_order_release;
inline constexpr auto acq_rel = std::memory_order_acq_rel;
inline constexpr auto seq_cst = std::memory_order_seq_cst;

inline constexpr const char* race = "data race";
inline constexpr const char* lost = "lost wake-up";

template <class Scenario>
void expect_sound(const variant& as_it_is = {}) {
  const auto r = weak_memory::explore<Scenario>(as_it_is);
  EXPECT_EQ(r.failure, "") << as_it_is.name << '\n' << r.story;
  std::cout << "  " << (as_it_is.name.empty() ? "as it is" : as_it_is.name) << ": " << r.runs
            << " runs\n";
}

template <class Scenario>
void expect_caught(const std::vector<variant>& faulty) {
  for (const variant& v : faulty) {
    const auto r = weak_memory::explore<Scenario>(v);
    EXPECT_FALSE(r.failure.empty()) << "not caught: " << v.name;
    EXPECT_NE(r.failure.find(v.failure), std::string::npos) << v.name << ": " << r.failure;
    std::cout << "  " << v.name << ": " << r.failure << ", run " << r.runs << '\n';
  }
}

/// One thread, so there is nothing to see for ThreadSanitizer, which cannot follow stacks that are
/// left for good either.
class weak_memory_test : public testing::Test {
 protected:
  void SetUp() override {
    if (weir::detail::with_tsan) GTEST_SKIP();
  }
};

}  // namespace weak_memory
