// SPDX-License-Identifier: MIT
#pragma once
// token_bucket, sliding_window: how often something may be done; rate_limit: any of them.
//
//   weir::token_bucket calls{100, 20};                       // 100 a second, 20 of them at once
//   for (const auto& page : pages) {
//     if (!calls.acquire(ctx)) break;                        // the context was done first
//     fetch(page);
//   }
//
// A token_bucket spreads what it allows evenly over time, after a burst. A sliding_window keeps a
// quota ("1,000 a minute") to the letter: all of it may be used at once. Both are handles: copies
// name the same limit.
//
// What both guarantee
//   - Waiters are served in order of arrival; nobody overtakes a large request at the front.
//   - A waiter that leaves with its context has taken nothing, and those behind it move up at once.
//   - Time is that of the runtime of who asks (on a virtual clock: virtual), in plain threads the
//     steady clock. A limit serves parties with the same clock.
//   - Memory is fixed: neither the rate nor the number of events changes it. One timer serves all
//     who wait, at most once in 50 µs: at high rates what fell due by then is given out together.
// Errors: std::invalid_argument for an argument out of range says which, and what to do instead. An
// acquire() that would wait throws std::bad_alloc or std::system_error if there is no memory or no
// thread for the timer; in a task also while it waits, if the runtime that kept it has ended.
// Thread safety: every method may be called by any task or thread at any time.
// Ordering: limits order nothing between those who pass them.
// Cost: an acquire() that need not wait is a short lock and a look at the clock.

#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "amount.hpp"
#include "context.hpp"
#include "detail/duration.hpp"
#include "detail/intrusive.hpp"

namespace weir {

namespace detail {

/// What token_bucket and sliding_window share: the waiting.
class limit_handle {
 public:
  /// Blocks until n are allowed, and takes them. Throws std::invalid_argument if n is negative or
  /// more than can ever be allowed at once.
  void acquire(amount n = 1) const;
  /// As acquire(); false, and nothing taken, when ctx is done first. Looks at ctx first.
  [[nodiscard]] bool acquire(const context& ctx, amount n = 1) const;
  /// Takes n if they are allowed now and nobody waits; never blocks.
  [[nodiscard]] bool try_acquire(amount n = 1) const;
  friend bool operator==(const limit_handle& a, const limit_handle& b) noexcept {
    return a.state_ == b.state_;
  }

 protected:
  explicit limit_handle(ref<shared_object> state) noexcept : state_(std::move(state)) {}

 private:
  ref<shared_object> state_;
};

[[nodiscard]] ref<shared_object> make_token_bucket(double rate_per_second, std::int64_t burst);
[[nodiscard]] ref<shared_object> make_sliding_window(std::int64_t count, nanoseconds duration);

}  // namespace detail

/// Holds up to `burst` tokens, full at first, and gets `rate_per_second` new ones, evenly; whoever
/// acquires n waits for n tokens. So in any stretch of time t there are at most burst + rate × t.
///
/// To keep the rate whatever the machine does, tokens that fell due while somebody waited for them
/// are not lost when the wake-up was late, nor those of the millisecond in which one who waited may
/// come back for more: they may then exceed the burst, by rate × that time, of which at most 100 ms
/// count.
///
/// The arithmetic is in integers, of 2^-20 ns, without drift. (It is the virtual scheduling form of
/// the generic cell rate algorithm, ITU-T I.371: the state is one time, when it will be full.)
class token_bucket : public detail::limit_handle {
 public:
  /// Throws std::invalid_argument unless the rate is within 1e-9 and 1e9 a second and the burst
  /// within 1 and 1e12.
  template <class R>
    requires std::is_arithmetic_v<R> || std::same_as<R, amount>
  token_bucket(R rate_per_second, amount burst)
      : limit_handle(detail::make_token_bucket(static_cast<double>(rate_per_second), burst)) {}
};

/// At most `count` in any stretch of `duration` (from just after its beginning to its end), counted
/// when they are granted: never more, however they come.
///
/// Up to a count of 1,024 that is exact: each is allowed the moment the one `count` before it is
/// `duration` ago. Beyond that, memory stays at 1,024 times: runs of count / 1,024 in a row expire
/// together, with the last of the run, so that some are allowed later than they could be, by the
/// time that one run took to come. Who always has work is not held up by that.
///
/// A late wake-up is not made up for, since that would break the promise: for short durations, with
/// which that counts (below 10 ms), a token_bucket keeps the rate better.
class sliding_window : public detail::limit_handle {
 public:
  /// Throws std::invalid_argument unless the count is within 1 and 1e12 and the duration within
  /// 1 ns and ten years.
  template <class Rep, class Period>
  sliding_window(amount count, std::chrono::duration<Rep, Period> duration)
      : limit_handle(detail::make_sliding_window(count, detail::to_nanoseconds(duration))) {}
};

/// What limits how often: its acquire(ctx) waits until once more is allowed; false if ctx was done
/// first. Copies must name the same limit. It may have a try_acquire(), too.
template <class L>
concept limiter = std::copy_constructible<L> && requires(const L& l, const context& ctx) {
  { l.acquire(ctx) } -> std::convertible_to<bool>;
};

/// Any limiter, or none: what a pool's `.rate` takes. Copies name the same limit.
class rate_limit {
 public:
  /// None: everything is allowed.
  rate_limit() = default;
  template <class L>
    requires(!std::same_as<L, rate_limit>) && limiter<L>
  rate_limit(L l)  // NOLINT: a limit is a limit
      : rule_(std::make_shared<rule_of<L>>(std::move(l))) {}

  /// Is there a limit?
  explicit operator bool() const noexcept { return rule_ != nullptr; }
  /// Waits until once more is allowed; false when ctx is done first. Looks at ctx first.
  [[nodiscard]] bool acquire(const context& ctx) const {
    return !ctx.cancelled() && (rule_ == nullptr || rule_->acquire(ctx));
  }
  /// Never blocks. False also if the limiter has no try_acquire(): it cannot tell.
  [[nodiscard]] bool try_acquire() const { return rule_ == nullptr || rule_->try_acquire(); }

 private:
  struct rule {
    virtual ~rule() = default;
    [[nodiscard]] virtual bool acquire(const context& ctx) const = 0;
    [[nodiscard]] virtual bool try_acquire() const = 0;
  };
  template <class L>
  struct rule_of final : rule {
    explicit rule_of(L l) : limit(std::move(l)) {}
    [[nodiscard]] bool acquire(const context& ctx) const override {
      return static_cast<bool>(limit.acquire(ctx));
    }
    [[nodiscard]] bool try_acquire() const override {
      if constexpr (requires { static_cast<bool>(limit.try_acquire()); }) {
        return static_cast<bool>(limit.try_acquire());
      } else {
        return false;
      }
    }
    L limit;
  };
  std::shared_ptr<const rule> rule_;
};

}  // namespace weir
