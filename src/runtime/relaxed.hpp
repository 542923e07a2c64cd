// SPDX-License-Identifier: MIT
#pragma once
// A variable that one carrier thread owns, touched from the many stacks that run on that thread. To
// the hardware it is a plain variable; to ThreadSanitizer, for which each stack is a thread of its
// own, an atomic without order: no false report, and no order between tasks that their own
// synchronisation does not give, so that their races are still found.

#include <atomic>

namespace weir::detail {

template <class T>
class relaxed {
 public:
  constexpr relaxed() = default;
  constexpr relaxed(T v) noexcept : v_(v) {}  // NOLINT: stands for a T
  relaxed(const relaxed&) = delete;
  relaxed& operator=(const relaxed& other) noexcept {
    *this = T(other);
    return *this;
  }
  ~relaxed() = default;

  operator T() const noexcept {  // NOLINT: stands for a T
    // Ordering: relaxed; see above: order comes from elsewhere.
    return v_.load(std::memory_order_relaxed);
  }
  T operator=(T v) noexcept {
    // Ordering: relaxed; see above.
    v_.store(v, std::memory_order_relaxed);
    return v;
  }
  /// The old value; nothing that follows comes before it.
  T exchange(T v) noexcept {
    // Ordering: seq_cst; for that.
    return v_.exchange(v, std::memory_order_seq_cst);
  }
  /// Not atomic as a whole: for the owner only.
  T operator+=(T n) noexcept { return *this = static_cast<T>(T(*this) + n); }
  T operator-=(T n) noexcept { return *this = static_cast<T>(T(*this) - n); }
  T operator->() const noexcept { return *this; }

 private:
  std::atomic<T> v_{};
};

}  // namespace weir::detail
