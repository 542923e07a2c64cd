// SPDX-License-Identifier: MIT
#pragma once
// after_func() for Weir's own: on a runtime that is named.

#include <chrono>
#include <cstddef>
#include <functional>

#include "weir/detail/intrusive.hpp"

namespace weir::detail {

class runtime_core;

/// f runs in a task of its own, `d` from now, by the clock and on the carriers of `rt`, whoever
/// calls: after_func() is the caller's runtime's, which may end before the time has come. If `rt`
/// itself ends, f runs then, in who ends it; if that has happened, this throws errc::closed. Throws
/// what after_func() does. The result is for call_never().
ref<shared_object> call_later(runtime_core& rt, std::chrono::nanoseconds d,
                              std::function<void()> f);
/// What one takes, with a function that holds as much as the pool's.
extern const std::size_t call_later_memory;
/// A timer for call_again(), which calls nobody yet.
ref<shared_object> make_call(std::function<void()> f);
/// As call_later(), with a timer whose function has not been called, or has, or is being.
void call_again(shared_object& timer, runtime_core& rt, std::chrono::nanoseconds d);
/// Drops the function, if it has not been called and is not about to be.
void call_never(shared_object& timer) noexcept;

}  // namespace weir::detail
