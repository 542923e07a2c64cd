// SPDX-License-Identifier: MIT
#include "pool/handful_trust.hpp"

#include <gtest/gtest.h>

namespace {

TEST(handful_trust, is_lost_for_thousands_when_a_job_has_waited) {
  weir::detail::handful_trust t;
  EXPECT_TRUE(t.gives_way());
  t.has_run();
  t.has_waited();
  int left_out = 0;
  while (!t.gives_way()) ++left_out;
  EXPECT_EQ(left_out, 1024);
  t.has_waited();
  left_out = 0;
  while (!t.gives_way()) ++left_out;
  EXPECT_EQ(left_out, 2048);
}

TEST(handful_trust, comes_back_when_many_have_run_through) {
  weir::detail::handful_trust t;
  t.has_waited();
  t.has_waited();
  while (!t.gives_way()) {
  }
  for (int i = 0; i < 4096 + 2048; ++i) t.has_run();
  t.has_waited();
  int left_out = 0;
  while (!t.gives_way()) ++left_out;
  EXPECT_EQ(left_out, 1024);
}

}  // namespace
