// SPDX-License-Identifier: MIT
#pragma once
// Tells AddressSanitizer and ThreadSanitizer that a thread goes on on another stack. Costs nothing
// in other builds.

#include <cstddef>

#include "runtime/relaxed.hpp"
#include "weir/detail/sanitizers.hpp"

#if defined(WEIR_ASAN)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(WEIR_TSAN)
#include <sanitizer/tsan_interface.h>
extern "C" {
void AnnotateBenignRaceSized(const char* file, int line, const volatile void* memory,
                             std::size_t size, const char* description);
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
void AnnotateIgnoreSyncBegin(const char* file, int line);
void AnnotateIgnoreSyncEnd(const char* file, int line);
}
#endif

/// For the few functions in which a stack is left for good: AddressSanitizer keeps a function's
/// variables elsewhere, and they are gone before it is.
#if defined(WEIR_ASAN)
#define WEIR_NO_ASAN __attribute__((no_sanitize("address")))
#else
#define WEIR_NO_ASAN
#endif

/// For the few functions of a switch: one call, whatever the compiler thinks of their size. Not
/// under a sanitizer, where what is not instrumented cannot be inlined into what is.
#if defined(WEIR_ASAN) || defined(WEIR_TSAN)
#define WEIR_HOT inline
#else
#define WEIR_HOT [[gnu::always_inline]] inline
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
  /// For a new task's stack, called by whoever starts it before they write to it: its last life is
  /// ordered before this, and the task's start after.
  void create([[maybe_unused]] void* bottom, [[maybe_unused]] std::size_t size) noexcept {
#if defined(WEIR_ASAN)
    bottom_ = bottom;
    size_ = size;
    fake_ = nullptr;
#endif
#if defined(WEIR_TSAN)
    __tsan_acquire(this);
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
  /// On the stack that is left, just before the switch. `last`: it will not be returned to; that is
  /// then ordered before whoever calls ordered_after(end_mark).
  WEIR_NO_ASAN void leave([[maybe_unused]] stack_shadow& to, [[maybe_unused]] bool last,
                          [[maybe_unused]] void* end_mark) noexcept {
#if defined(WEIR_ASAN)
    __sanitizer_start_switch_fiber(last ? nullptr : &fake_, to.bottom_, to.size_);
#endif
#if defined(WEIR_TSAN)
    void* fiber = to.fiber_;
    if (last) {
      __tsan_release(end_mark);
      __tsan_release(this);  // before the stack's next life: create()
    }
    // No order comes from the switch itself: see relaxed.hpp.
    __tsan_switch_to_fiber(fiber, __tsan_switch_to_fiber_no_sync);
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
  void* fake_ = nullptr;
  relaxed<const void*> bottom_{nullptr};
  relaxed<std::size_t> size_{0};
#endif
#if defined(WEIR_TSAN)
  relaxed<void*> fiber_{nullptr};
#endif
};

/// Tells ThreadSanitizer of an order that it cannot see, since switches are none to it: what came
/// before `ordered_before` on a mark comes before what follows an `ordered_after` on it. Such
/// orders are: a task's making before its start, a wake-up before the return from the park that it
/// ends (carried by the lane, the inbox's lock or the gate), a carrier thread's start before the
/// tasks that it runs, and the end of a runtime's tasks before its own.
inline void ordered_before([[maybe_unused]] void* mark) noexcept {
#if defined(WEIR_TSAN)
  __tsan_release(mark);
#endif
}
inline void ordered_after([[maybe_unused]] void* mark) noexcept {
#if defined(WEIR_TSAN)
  __tsan_acquire(mark);
#endif
}

/// While it lives ThreadSanitizer looks away from what this stack does: a director is used from all
/// stacks of its one thread, and must neither be reported nor order them.
class unseen {
 public:
  unseen() noexcept {
#if defined(WEIR_TSAN)
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
#endif
  }
  ~unseen() {
#if defined(WEIR_TSAN)
    AnnotateIgnoreSyncEnd(__FILE__, __LINE__);
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
#endif
  }
  unseen(const unseen&) = delete;
  unseen& operator=(const unseen&) = delete;
};

/// A task's header is passed between stacks of one thread, and between threads through the lane's
/// gate, as a carrier's own state is (relaxed.hpp); its making is not atomic, and would be reported
/// against that. What tasks share is not in a header.
inline void made_task_header([[maybe_unused]] void* header,
                             [[maybe_unused]] std::size_t size) noexcept {
#if defined(WEIR_TSAN)
  AnnotateBenignRaceSized(__FILE__, __LINE__, header, size, "task header");
#endif
}

}  // namespace weir::detail
