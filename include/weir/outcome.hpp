// SPDX-License-Identifier: MIT
#pragma once
// outcome<R>: how one job of a stream ended: with a value or an exception.
//
//   for (auto& o : stream.outcomes())
//     if (o) use(o.value());
//     else retry_later(o.index());

#include <cstdint>
#include <exception>
#include <utility>
#include <variant>

namespace weir {

/// Which job it was, and its result.
template <class R>
class outcome {
 public:
  outcome(std::uint64_t index, R value) : index_(index), result_(std::move(value)) {}
  outcome(std::uint64_t index, std::exception_ptr error)
      : index_(index), result_(std::move(error)) {}

  [[nodiscard]] bool has_value() const noexcept { return result_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  /// The value; rethrows the exception if there is none.
  [[nodiscard]] R& value() & {
    rethrow();
    return std::get<0>(result_);
  }
  [[nodiscard]] const R& value() const& {
    rethrow();
    return std::get<0>(result_);
  }
  [[nodiscard]] R&& value() && {
    rethrow();
    return std::move(std::get<0>(result_));
  }
  /// Null if there is a value.
  [[nodiscard]] std::exception_ptr error() const noexcept {
    return has_value() ? nullptr : std::get<1>(result_);
  }
  /// Which job it was: its place in the input, from 0.
  [[nodiscard]] std::uint64_t index() const noexcept { return index_; }

 private:
  void rethrow() const {
    if (!has_value()) std::rethrow_exception(std::get<1>(result_));
  }
  std::uint64_t index_;
  std::variant<R, std::exception_ptr> result_;
};

}  // namespace weir
