// SPDX-License-Identifier: MIT
#pragma once
// outcome<R>: how one job of a stream ended: with a value or an exception.
//
//   for (auto& o : stream.outcomes())
//     if (o) use(o.value());
//     else retry_later(o.index());
//
// An outcome's move does not throw: an R whose move may is kept behind a pointer.

#include <concepts>
#include <cstdint>
#include <exception>
#include <utility>
#include <variant>

#include "detail/stream_kept.hpp"

namespace weir {

namespace detail {
/// Says that what follows is no value: an R may be a std::exception_ptr itself.
struct is_failure {};
}  // namespace detail

/// Which job it was, and its result.
template <class R>
class outcome {
 public:
  outcome(std::uint64_t index, R value)
      : index_(index), result_(std::in_place_index<0>, std::move(value)) {}
  outcome(std::uint64_t index, std::exception_ptr error)
    requires(!std::same_as<R, std::exception_ptr>)
      : outcome(detail::is_failure{}, index, std::move(error)) {}
  /// For Weir's own words.
  outcome(detail::is_failure /*tag*/, std::uint64_t index, std::exception_ptr error) noexcept
      : index_(index), result_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool has_value() const noexcept { return result_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  /// The value; rethrows the exception if there is none.
  [[nodiscard]] R& value() & {
    rethrow();
    return detail::unboxed(std::get<0>(result_));
  }
  [[nodiscard]] const R& value() const& {
    rethrow();
    return detail::unboxed(std::get<0>(result_));
  }
  [[nodiscard]] R&& value() && {
    rethrow();
    return std::move(detail::unboxed(std::get<0>(result_)));
  }
  /// Null if there is a value.
  [[nodiscard]] std::exception_ptr error() const noexcept {
    return has_value() ? nullptr : std::get<1>(result_);
  }
  /// Which job it was: its place in the input, from 0. Of a source's failure: how many jobs it had
  /// given.
  [[nodiscard]] std::uint64_t index() const noexcept { return index_; }

 private:
  void rethrow() const {
    if (!has_value()) std::rethrow_exception(std::get<1>(result_));
  }
  std::uint64_t index_;
  std::variant<detail::kept<R>, std::exception_ptr> result_;
};

}  // namespace weir
