// SPDX-License-Identifier: MIT
#pragma once
// A coroutine that waits to be resumed: the third kind of waiter, beside tasks and OS threads. It
// is resumed on a task of the runtime that was current when it suspended, never on the stack of
// whoever wakes it; see src/runtime/resumer.hpp.
//
// Its life, each time it suspends
//   expect()   while it runs. May throw, for lack of memory; after it, wake() needs none.
//   wake()     by the claimer of its operation; from then on it is in its runtime's hands, or
//   forget()   if it goes on at once, or is destroyed and has claimed its operation itself, or
//   withdraw() if it is destroyed and that was claimed by somebody whose wake() is on its way.

#include <coroutine>
#include <cstdint>

namespace weir {
class runtime;
}

namespace weir::detail {

class resumer;

/// Lives in an awaiter, so in the coroutine's frame.
class suspension {
 public:
  suspension() = default;
  suspension(const suspension&) = delete;
  suspension& operator=(const suspension&) = delete;

  /// `h` may be woken from now on, to be resumed on a task of `where`, or of the current (else the
  /// default) runtime if null. Throws std::bad_alloc or std::system_error if there is no task to
  /// resume it on, and none can be started.
  void expect(std::coroutine_handle<> h, runtime* where = nullptr);
  /// It is resumed soon. By anyone, once; *this may be gone when this returns.
  void wake() noexcept;
  /// Nobody will wake it.
  void forget() noexcept;
  /// It is not resumed, although somebody wakes it, or has: waits for that wake().
  void withdraw() noexcept;

 private:
  friend class resumer;
  enum class state : std::uint8_t { waits, queued, withdrawn, returned };
  std::coroutine_handle<> handle_;  // these: constant from expect() on
  resumer* by_ = nullptr;
  suspension* next_ = nullptr;  // these: guarded by the resumer's lock
  suspension* prev_ = nullptr;
  state state_ = state::waits;
};

}  // namespace weir::detail
