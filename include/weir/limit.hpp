// SPDX-License-Identifier: MIT
#pragma once
// Limits on how often something may happen.

#include <concepts>
#include <functional>
#include <utility>

#include "context.hpp"

namespace weir {

/// Any limit, or none: what pool_options::rate takes. Made from whatever has acquire(ctx).
class rate_limit {
 public:
  rate_limit() = default;
  template <class L>
    requires(!std::same_as<L, rate_limit>) && requires(const L& l, const context& ctx) {
      { l.acquire(ctx) } -> std::convertible_to<bool>;
    }
  rate_limit(L limit)  // NOLINT: `.rate = token_bucket{…}`
      : acquire_([l = std::move(limit)](const context& ctx) -> bool { return l.acquire(ctx); }) {}
  /// Waits for the next turn; false when ctx is done first.
  [[nodiscard]] bool acquire(const context& ctx) const { return !acquire_ || acquire_(ctx); }
  explicit operator bool() const noexcept { return static_cast<bool>(acquire_); }

 private:
  std::function<bool(const context&)> acquire_;
};

}  // namespace weir
