// SPDX-License-Identifier: MIT
#pragma once
// after_func() for Weir's own: on a runtime that is named.

#include <chrono>
#include <functional>

namespace weir::detail {

class runtime_core;

/// f runs in a task of its own, `d` from now, by the clock and on the carriers of `rt`, whoever
/// calls: after_func() is the caller's runtime's, which may end before the time has come. If `rt`
/// itself ends, f is dropped. Throws what after_func() does.
void call_later(runtime_core& rt, std::chrono::nanoseconds d, std::function<void()> f);

}  // namespace weir::detail
