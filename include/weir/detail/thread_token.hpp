// SPDX-License-Identifier: MIT
#pragma once
// Which thread is this? A number that no other living thread has, for one instruction. Neither has
// one the numbers that follow, up to thread_token_step.

#include <cstdint>

namespace weir::detail {

using thread_token = std::uintptr_t;
inline constexpr thread_token no_thread = 0;
inline constexpr thread_token thread_token_step = 8;

#if defined(__x86_64__)
/// The thread's control block, whose address is kept at its own beginning (System V ABI, TLS).
/// Volatile: a task may go on in another thread after any call, so that nobody may keep it.
[[nodiscard]] inline thread_token this_thread_token() noexcept {
  thread_token token;
  asm volatile("movq %%fs:0, %0" : "=r"(token));
  return token;
}
#else
/// Not inlined, so that no caller keeps the thread-local's address over a switch.
[[nodiscard]] thread_token this_thread_token() noexcept;
#endif

}  // namespace weir::detail
