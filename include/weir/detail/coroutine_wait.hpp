// SPDX-License-Identifier: MIT
#pragma once
// What coroutine.hpp's awaiters are made of: the wait of a coroutine in the queue of one primitive,
// as wait_in() is that of tasks and threads; and on it, a transfer through a channel without its
// element type.
//
// To make something awaitable that ends with the close of a channel_core (a future, an event), hold
// a coroutine_transfer that receives from it:
//
//   bool await_ready() { return end_.try_now(nullptr); }
//   bool await_suspend(std::coroutine_handle<> h) { return end_.suspend(h, nullptr); }
//   R await_resume() { (void)end_.finish(); return take_result(); }
//
// Once such an awaiter is suspended, another thread may resume, and so end, it before suspend()
// returns: nothing of it is touched after it is linked, and suspend() is never inlined, so that no
// compiler keeps anything of it in the coroutine's frame.

#include <coroutine>
#include <utility>

#include "../context.hpp"
#include "channel_core.hpp"
#include "suspension.hpp"
#include "waiter.hpp"

namespace weir::detail {

/// One operation of a coroutine, in its awaiter.
class coroutine_wait {
 public:
  coroutine_wait() = default;
  coroutine_wait(const coroutine_wait&) = delete;
  coroutine_wait& operator=(const coroutine_wait&) = delete;
  ~coroutine_wait() { (void)abandon(); }

  /// First, without a lock; throws as suspension::expect(). Then join(), or go_on() if there is
  /// nothing to wait for.
  void expect(std::coroutine_handle<> h) { suspension_.expect(h); }
  void go_on() noexcept { suspension_.forget(); }

  /// Appends to `list` and gives `m`, which guards it and is held, back. False, having done
  /// nothing else, if `signal` (a context's, may be null) has closed already. After true *this may
  /// be gone.
  [[nodiscard]] bool join(spin_lock& m, wait_list& list, void* value,
                          channel_core* signal) noexcept;

  /// How it ended, for the resumed coroutine. After it nobody touches this.
  enum class result { never_waited, served, refused, cancelled };
  [[nodiscard]] result finish() noexcept;

  /// The coroutine is being destroyed. If it waits this takes it out of every queue, after the
  /// claimer if there was one. True if there was.
  bool abandon() noexcept;

 private:
  void leave_all(int winner) noexcept;

  operation op_{true};
  wait_node node_;
  wait_node done_node_;
  spin_lock* m_ = nullptr;
  wait_list* list_ = nullptr;
  channel_core* signal_ = nullptr;
  suspension suspension_;
  bool waits_ = false;  // touched only by the coroutine
};

/// A send or a receive of a coroutine; `core` is null for a nil channel. Whoever holds it keeps
/// core alive, and gives the same element (channel_core's `value` or `out`) each time.
class coroutine_transfer {
 public:
  enum class direction : bool { send, receive };
  coroutine_transfer(direction way, channel_core* core, context until) noexcept
      : way_(way), core_(core), until_(std::move(until)) {}
  /// Before it is awaited.
  coroutine_transfer(coroutine_transfer&& other) noexcept
      : coroutine_transfer(other.way_, other.core_, std::move(other.until_)) {}
  coroutine_transfer& operator=(coroutine_transfer&&) = delete;
  ~coroutine_transfer() = default;

  [[nodiscard]] bool try_now(void* element) noexcept;
  [[nodiscard]] bool suspend(std::coroutine_handle<> h, void* element);
  transfer finish() noexcept;
  /// See coroutine_wait.
  bool abandon() noexcept { return wait_.abandon(); }

 private:
  [[nodiscard]] bool join(void* element) noexcept;

  const direction way_;
  channel_core* const core_;
  context until_;
  transfer result_ = transfer::would_block;
  coroutine_wait wait_;
};

/// The wait of a coroutine for a wait_group, whose state this is.
class coroutine_group_wait {
 public:
  coroutine_group_wait(ref<shared_object> group, context until) noexcept
      : group_(std::move(group)), until_(std::move(until)) {}
  /// Before it is awaited.
  coroutine_group_wait(coroutine_group_wait&& other) noexcept
      : coroutine_group_wait(std::move(other.group_), std::move(other.until_)) {}
  coroutine_group_wait& operator=(coroutine_group_wait&&) = delete;
  ~coroutine_group_wait() = default;

  [[nodiscard]] bool try_now() noexcept;
  [[nodiscard]] bool suspend(std::coroutine_handle<> h);
  /// False: until was done first.
  [[nodiscard]] bool finish() noexcept;

 private:
  ref<shared_object> group_;
  context until_;
  bool served_ = false;
  coroutine_wait wait_;
};

/// How executors take a coroutine: a callable that resumes it, once, where it is called: calls
/// after the first do nothing. (An executor that calls it before it returns to who submits it, as a
/// full pool may, does not resume it there: it goes on where it was, or a loop of them would use up
/// any stack.) One that goes without having been called lets it go on with errc::dropped, on a
/// task. Movable only.
class resumption {
 public:
  struct handover;  // what it shares with the awaiter
  explicit resumption(handover* shared) noexcept : shared_(shared) {}
  resumption(resumption&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
  resumption& operator=(resumption&&) = delete;
  ~resumption() { drop(); }
  void operator()() {
    if (shared_ != nullptr) resume(std::exchange(shared_, nullptr));
  }
  /// As its destruction.
  void drop() noexcept {
    if (shared_ != nullptr) drop(std::exchange(shared_, nullptr));
  }

 private:
  static void resume(handover* shared);
  static void drop(handover* shared) noexcept;
  handover* shared_;
};

/// The wait for a resumption to be called, in an awaiter.
class handover_wait {
 public:
  handover_wait() = default;
  handover_wait(const handover_wait&) = delete;
  handover_wait& operator=(const handover_wait&) = delete;
  ~handover_wait();

  /// Gives `submit` a resumption. What it throws, it throws, having dropped that; suspension's
  /// expect() may throw, too. Not inlined, and `submit` is moved from the frame: both may be gone
  /// before it returns.
  template <class Submit>
  [[gnu::noinline]] [[nodiscard]] bool suspend(std::coroutine_handle<> h, Submit& submit) {
    Submit mine = std::move(submit);
    resumption::handover* const shared = begin(h);
    resumption job(shared);
    try {
      mine(std::move(job));
    } catch (...) {
      job.drop();  // NOLINT: as below
      give_up(shared);
      throw;
    }
    job.drop();  // NOLINT(bugprone-use-after-move): if it was not taken
    return handed_over(shared);
  }
  /// For the resumed coroutine. Throws errc::dropped if it was.
  void finish();

 private:
  [[nodiscard]] resumption::handover* begin(std::coroutine_handle<> h);
  void give_up(resumption::handover* shared) noexcept;
  /// Whether it is suspended, or has been resumed elsewhere; then *this may be gone.
  [[nodiscard]] static bool handed_over(resumption::handover* shared) noexcept;
  resumption::handover* shared_ = nullptr;  // while it waits
};

}  // namespace weir::detail
