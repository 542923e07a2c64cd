// SPDX-License-Identifier: MIT
#pragma once
// What a stream keeps a job or a result as, so that to hand it on never throws. See process.hpp.

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace weir::detail {

/// A T behind a pointer. A copy is a copy of the T.
template <class T>
class boxed {
 public:
  explicit boxed(T&& value) : at_(std::make_unique<T>(std::move(value))) {}
  boxed(boxed&&) noexcept = default;
  boxed& operator=(boxed&&) noexcept = default;
  boxed(const boxed& other)
    requires std::copy_constructible<T>
      : at_(other.at_ ? std::make_unique<T>(*other.at_) : nullptr) {}
  boxed& operator=(const boxed& other)
    requires std::copy_constructible<T>
  {
    return *this = boxed(other);
  }
  ~boxed() = default;
  [[nodiscard]] T& operator*() noexcept { return *at_; }
  [[nodiscard]] const T& operator*() const noexcept { return *at_; }

 private:
  std::unique_ptr<T> at_;
};

/// A T, or a box of it where its move may throw or it can not be assigned.
template <class T>
using kept =
    std::conditional_t<std::is_nothrow_move_constructible_v<T> && std::is_move_assignable_v<T>, T,
                       boxed<T>>;

template <class T>
[[nodiscard]] constexpr T& unboxed(T& value) noexcept {
  return value;
}
template <class T>
[[nodiscard]] T& unboxed(boxed<T>& box) noexcept {
  return *box;
}
template <class T>
[[nodiscard]] const T& unboxed(const boxed<T>& box) noexcept {
  return *box;
}

}  // namespace weir::detail
