// SPDX-License-Identifier: MIT
#pragma once
// Reference counting for what the handles name: the count lives in the object, a handle is one
// pointer wide.

#include <atomic>
#include <concepts>
#include <cstdint>
#include <utility>

namespace weir::detail {

/// Base of everything that handles share. Derived types have a virtual destructor through this.
class shared_object {
 public:
  shared_object() = default;
  shared_object(const shared_object&) = delete;
  shared_object& operator=(const shared_object&) = delete;

  void retain() const noexcept {
    // Ordering: relaxed; the caller already holds a reference, nothing is published by a new one.
    refs_.fetch_add(1, std::memory_order_relaxed);
  }
  void release() const noexcept {
    // Ordering: acq_rel; every holder's last use happens before the destruction.
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  /// The same, but not of the last reference: then false, and the caller has it still.
  [[nodiscard]] bool release_unless_last() const noexcept {
    // Ordering: relaxed; only a hint for the first attempt, the exchange below decides.
    std::uint32_t n = refs_.load(std::memory_order_relaxed);
    while (n != 1) {
      // Ordering: release; pairs with the acquire of whoever drops the last: our use is over.
      if (refs_.compare_exchange_weak(n, n - 1, std::memory_order_release,
                                      std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }
  /// Takes a reference unless the last one is already gone: how a parent or a timer, which hold
  /// none, get hold of an object that may be on its way out.
  [[nodiscard]] bool try_retain() const noexcept {
    // Ordering: relaxed; only a hint for the first attempt, the exchange below decides.
    std::uint32_t n = refs_.load(std::memory_order_relaxed);
    while (n != 0) {
      // Ordering: relaxed; whoever calls holds the lock that the destructor must take first.
      if (refs_.compare_exchange_weak(n, n + 1, std::memory_order_relaxed)) return true;
    }
    return false;
  }

  /// Whether the caller's reference is the only one.
  [[nodiscard]] bool held_once() const noexcept {
    // Ordering: acquire; pairs with release(): what other holders did is over.
    return refs_.load(std::memory_order_acquire) == 1;
  }

 protected:
  virtual ~shared_object() = default;

 private:
  mutable std::atomic<std::uint32_t> refs_{1};
};

/// A counted reference to a shared_object.
template <class T>
class ref {
 public:
  ref() = default;
  /// Takes over a reference that the caller owns.
  static ref adopt(T* p) noexcept {
    ref r;
    r.p_ = p;
    return r;
  }
  /// Takes a reference of its own.
  static ref share(T* p) noexcept {
    if (p != nullptr) p->retain();
    return adopt(p);
  }
  ref(const ref& other) noexcept : p_(other.p_) {
    if (p_ != nullptr) p_->retain();
  }
  ref(ref&& other) noexcept : p_(std::exchange(other.p_, nullptr)) {}
  template <class U>
    requires std::convertible_to<U*, T*>
  ref(ref<U> other) noexcept : p_(other.detach()) {}  // NOLINT: as pointers convert
  ref& operator=(ref other) noexcept {
    std::swap(p_, other.p_);
    return *this;
  }
  ~ref() {
    if (p_ != nullptr) p_->release();
  }

  [[nodiscard]] T* get() const noexcept { return p_; }
  /// Gives up the reference; the caller owns it now.
  [[nodiscard]] T* detach() noexcept { return std::exchange(p_, nullptr); }
  T* operator->() const noexcept { return p_; }
  T& operator*() const noexcept { return *p_; }
  explicit operator bool() const noexcept { return p_ != nullptr; }
  friend bool operator==(const ref& a, const ref& b) noexcept { return a.p_ == b.p_; }

 private:
  T* p_ = nullptr;
};

template <class T, class... Args>
[[nodiscard]] ref<T> make_ref(Args&&... args) {
  return ref<T>::adopt(new T(std::forward<Args>(args)...));
}

}  // namespace weir::detail
