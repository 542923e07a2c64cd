// SPDX-License-Identifier: MIT
#pragma once
// Outcomes that are not mistakes: a context was cancelled, its deadline passed, a pool was closed.
//
//   if (ctx.error() == weir::errc::deadline_exceeded) retry_later();
//
// Every function that can end this way says so; mistakes (closing twice, a negative count) throw
// std::logic_error kin instead, and name the call that was wrong.

#include <stdexcept>
#include <string>
#include <system_error>

#if !defined(__cpp_exceptions) || !defined(__cpp_rtti)
#error "Weir needs exceptions and RTTI: leave -fno-exceptions and -fno-rtti out"
#endif

namespace weir {

/// Why something ended that was not the job's own doing. 0 means "ok" in this category.
enum class errc {
  cancelled = 1,      ///< somebody called cancel(), or the runtime with the deadline's clock ended
  deadline_exceeded,  ///< a timeout or deadline passed
  closed,             ///< it takes no more work
  full,               ///< a bounded queue had no room, and waiting was not allowed
  dropped,            ///< a queue that drops when full dropped this one
  forked,             ///< this process is a fork of the one that started the runtime
};

/// The category of errc, named "weir". Its value 0 prints as "ok".
[[nodiscard]] const std::error_category& category() noexcept;

[[nodiscard]] inline std::error_code make_error_code(errc e) noexcept {
  return {static_cast<int>(e), category()};
}

/// A send on a closed channel, or a second close(): a mistake in the program, as in Go.
class channel_closed : public std::logic_error {
 public:
  explicit channel_closed(const std::string& what) : std::logic_error(what) {}
};

}  // namespace weir

template <>
struct std::is_error_code_enum<weir::errc> : std::true_type {};
