// SPDX-License-Identifier: MIT
// A sleep that a context ends: a select of a time and a signal. (Without one: runtime/go.cpp.)

#include <array>

#include "weir/detail/select_cases.hpp"
#include "weir/go.hpp"
#include "weir/select.hpp"

namespace weir {

bool sleep_until(const context& ctx, std::chrono::steady_clock::time_point when) {
  using namespace detail;
  if (ctx.cancelled()) return false;
  const auto now = time_after({});
  if (when <= now) return true;
  const std::array<select_record, 2> either{{{.kind = case_kind::timeout, .wait = when - now},
                                             {.kind = case_kind::done, .core = ctx.done_core()}}};
  interruption_point("sleep");
  return select_records(either) == 0;
}

}  // namespace weir
