// SPDX-License-Identifier: MIT
#pragma once
// Tells AddressSanitizer and ThreadSanitizer that a thread goes on on another stack. Costs nothing in
// other builds.

#include <cstddef>

#include "runtime/relaxed.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define WEIR_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEIR_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define WEIR_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEIR_TSAN 1
#endif
#endif

#if defined(WEIR_ASAN)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(WEIR_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace weir::detail {

#if defined(WEIR_ASAN) || defined(WEIR_TSAN)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

/// What the sanitizers know of one stack.
class stack_shadow {
 public:
  /// For a new task's stack, called by whoever starts it: its start is ordered after this.
  void create([[maybe_unused]] void* bottom, [[maybe_unused]] std::size_t size) noexcept {
#if defined(WEIR_ASAN)
    bottom_ = bottom;
    size_ = size;
    fake_ = nullptr;
#endif
#if defined(WEIR_TSAN)
    fiber_ = __tsan_create_fiber(0);
#endif
  }
  /// For the stack of the thread itself, called on it.
  void adopt_thread() noexcept {
#if defined(WEIR_TSAN)
    fiber_ = __tsan_get_current_fiber();
#endif
  }
  /// Called on another stack, after the last switch away from this one.
  void destroy() noexcept {
#if defined(WEIR_TSAN)
    __tsan_destroy_fiber(fiber_);
#endif
  }
  /// On the stack that is left, just before the switch. `last`: it will not be returned to.
  void leave([[maybe_unused]] stack_shadow& to, [[maybe_unused]] bool last) noexcept {
#if defined(WEIR_ASAN)
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(last ? nullptr : &fake, to.bottom_, to.size_);
    fake_ = fake;
#endif
#if defined(WEIR_TSAN)
    // No order comes from the switch itself: see relaxed.hpp.
    __tsan_switch_to_fiber(to.fiber_, __tsan_switch_to_fiber_no_sync);
#endif
  }
  /// On the stack that is entered, just after the switch; `from` is the one that was left.
  void enter([[maybe_unused]] stack_shadow* from) noexcept {
#if defined(WEIR_ASAN)
    const void* bottom = nullptr;
    std::size_t size = 0;
    __sanitizer_finish_switch_fiber(fake_, &bottom, &size);
    if (from != nullptr) {
      from->bottom_ = bottom;  // learns the bounds of the thread's own stack
      from->size_ = size;
    }
#endif
  }

 private:
#if defined(WEIR_ASAN)
  relaxed<void*> fake_{nullptr};
  relaxed<const void*> bottom_{nullptr};
  relaxed<std::size_t> size_{0};
#endif
#if defined(WEIR_TSAN)
  relaxed<void*> fiber_{nullptr};
#endif
};

}  // namespace weir::detail
