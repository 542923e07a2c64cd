// SPDX-License-Identifier: MIT
#pragma once
// What concerns the process as a whole: its end, its forks, its crashes.

#include <atomic>
#include <string>
#include <utility>

namespace weir::detail {

struct task;
class runtime_core;

/// From now on what is in the parent only is known to be gone in a forked child. Before the first
/// runtime, and the first thread of Weir's.
void watch_forks() noexcept;
/// A process without a runtime may fork as it likes: its children may have one.
void note_first_runtime() noexcept;
/// Grows in each forked child.
[[nodiscard]] unsigned fork_generation() noexcept;
/// Whether this is a child whose parent had a runtime: whom to wait for is in the parent.
extern std::atomic<bool> forked_without_runtime;
[[noreturn]] void throw_forked();
[[nodiscard]] inline bool forked() noexcept {
  // Ordering: relaxed; changes only where there is one thread.
  return forked_without_runtime.load(std::memory_order_relaxed);
}
/// Throws errc::forked if so.
inline void refuse_if_forked() {
  if (forked()) [[unlikely]]
    throw_forked();
}

/// Has the default runtime stop when main returns or exit() is called, before static objects are
/// destroyed: no carrier of it takes up a task after that.
void stop_at_process_end(runtime_core& core);

/// Is this the thread that ends the process, which has stopped the default runtime, and destroys
/// static objects now?
[[nodiscard]] bool process_ends_here() noexcept;

/// While it lives, this thread runs users' code: an exit() in there ends the thread's thread-locals
/// first of all, and then this has the default runtime stop. On one thread from first to last.
class exit_watch {
 public:
  exit_watch() noexcept : before_(std::exchange(inside(), true)) {}
  ~exit_watch() { inside() = before_; }
  exit_watch(const exit_watch&) = delete;
  exit_watch& operator=(const exit_watch&) = delete;

 private:
  [[nodiscard]] static bool& inside() noexcept;
  const bool before_;
};

/// Has a stack overflow reported with the task's name; the second for each carrier thread.
void install_overflow_report();
void use_alternate_stack();

/// "std::runtime_error: what it says", of the exception that is being handled.
[[nodiscard]] std::string current_exception_text();
/// Ends the program for the exception that is being handled, which has left `t`.
[[noreturn]] void escaped_exception(const task& t) noexcept;

}  // namespace weir::detail
