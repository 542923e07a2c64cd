// SPDX-License-Identifier: MIT
// A hint to the processor, which must not be more than that.
#include "port/demote.hpp"

#include <gtest/gtest.h>

#include <array>

namespace {

TEST(demote_test, leaves_everything_as_it_was) {
  std::array<int, 64> some{};
  for (std::size_t i = 0; i < some.size(); ++i) {
    some[i] = static_cast<int>(i);
    weir::port::demote(&some[i]);
  }
  for (std::size_t i = 0; i < some.size(); ++i) EXPECT_EQ(some[i], static_cast<int>(i));
}

TEST(demote_test, takes_any_address) {
  weir::port::demote(nullptr);
  weir::port::demote(reinterpret_cast<const char*>(&weir::port::can_demote) + 1);
}

}  // namespace
