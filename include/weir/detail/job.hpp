// SPDX-License-Identifier: MIT
#pragma once
// A job of a pool: the user's function and, unless it is posted, its result and who waits for that.
// One block of memory, which is recycled: after warm-up a job whose function and result are small
// allocates nothing. A job often ends on another processor than the one it was made on: what it
// has, it has in few cache lines.
//
// Who may touch what
//   next, prev, state, since, and the fields of submission   under the pool's lock
//   done_, error_, waiters_, signal_, pool_, stirs_,          under the job's own lock, which is
//   extras->again                                             taken after the pool's
//   the function and the result    whoever runs it; after that, once done_, the future

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "../channel.hpp"
#include "../context.hpp"
#include "../pool_options.hpp"
#include "intrusive.hpp"
#include "waiter.hpp"

namespace weir::detail {

class pool_core;
class awaited_job;

enum class job_state : std::uint8_t { fresh, queued, running, retrying, over };

/// Why a job was not run, or cut short, as its future tells it.
[[nodiscard]] std::exception_ptr job_error(std::error_code why,
                                           const char* text = "weir: job") noexcept;

/// What few jobs have.
struct job_extras {
  std::optional<context> ctx;  // of submit(ctx, …)
  std::chrono::nanoseconds timeout{0};
  retry_policy retry;
  int attempts_made = 0;
  std::string name;
  std::optional<channel<std::monostate>> again;  // see awaited_job::stirred()
  after_func_handle watch;                       // of ctx, while the pool has the job
  ref<shared_object> timer;                      // of the next attempt; see call_later()
};

/// What is recycled is of this size: function and result have what job, or awaited_job, leaves.
inline constexpr std::size_t job_block_size = 256;

/// Memory for jobs, kept when it is given back.
[[nodiscard]] void* allocate_job(std::size_t size);
void deallocate_job(void* block, std::size_t size) noexcept;

class job : public shared_object {
 public:
  /// Posted, so nobody waits for it, unless it is an awaited_job.
  explicit job(bool is_posted = true) noexcept : posted(is_posted) {}
  static void* operator new(std::size_t size) { return allocate_job(size); }
  static void operator delete(void* block, std::size_t size) noexcept {
    deallocate_job(block, size);
  }
  // For functions and results that want more than a block's alignment: not recycled.
  static void* operator new(std::size_t size, std::align_val_t align) {
    return ::operator new(size, align);
  }
  static void operator delete(void* block, std::align_val_t align) noexcept {
    ::operator delete(block, align);
  }

  /// As shared_object's. Nobody gets hold of a job but by a reference, so whoever has the only one
  /// need not exchange anything to know that it is the last.
  void release() const noexcept {
    if (held_once()) {
      delete this;
    } else {
      shared_object::release();
    }
  }

  /// Calls the function once and keeps its result; gives its exception, null if there was none.
  virtual std::exception_ptr attempt(const context& ctx, void* state) noexcept = 0;
  /// Ends the function's life; it will not be called again.
  virtual void drop_function() noexcept = 0;
  /// It is over and published; called once, without a lock, and may wait.
  virtual void completed() noexcept {}

  /// drop_function(), publish(error) and end().
  void give_up(std::exception_ptr error) noexcept;
  /// Its context and its timer tell the pool no longer.
  void forget() noexcept;
  /// It is over and published; no lock is held.
  void end() noexcept {
    if (extras) forget();
    completed();
  }
  /// Null if it is posted.
  [[nodiscard]] awaited_job* awaited() noexcept;
  /// The context that it was given, if that can be done; null if not.
  [[nodiscard]] const context* own_context() const noexcept {
    const bool has_one = extras && extras->ctx && extras->ctx->done_core() != nullptr;
    return has_one ? &*extras->ctx : nullptr;
  }
  [[nodiscard]] const std::string* name() const noexcept {
    return extras && !extras->name.empty() ? &extras->name : nullptr;
  }

  // First a cache line of what every job needs…
  job_state state = job_state::fresh;
  weir::priority priority = weir::priority::normal;
  bool reported : 1 = false;              // as stuck
  bool is_abandoned_with_us : 1 = false;  // unrun: by a task of its pool's own runtime
  bool unrun : 1 = false;                 // what is ended was not begun
  std::uint8_t leads : 4 = 0;  // while queued: so many addresses are behind it (pool/handful.hpp)
  std::uint8_t : 0;            // those are written under the lock, these are not
  // Constant from its submission on.
  const bool posted : 1;
  bool wants_context : 1 = false;
  bool wants_state : 1 = false;
  bool is_free : 1 = true;         // it has no cost
  bool is_small : 1 = false;       // its block is no larger than the recycled ones
  bool is_simple : 1 = false;      // posted, and there is nothing to be done when it is over
  std::uint8_t lead_room : 2 = 0;  // for others' addresses in its block (pool/handful.hpp)
  job* next = nullptr;
  job* prev = nullptr;
  std::int64_t since = 0;  // when it was queued; while it runs, when it started
  // A hint, never followed: where the job is that whoever runs this one is likely to run next.
  const void* likely_next = nullptr;
  std::unique_ptr<job_extras> extras;
  std::exception_ptr last_error;  // of the last attempt; whoever runs it
  // …then what few have, and what the function needs.
  std::uint64_t tag = 0;  // the tracer's
  weir::cost cost;
};

/// A job that somebody may wait for.
class awaited_job : public job {
 public:
  awaited_job() noexcept : job(false) {}

  /// It is over, with this error or, if null, with its result. Wakes who waits; `signal` gets the
  /// channel that the caller has to close when it holds no lock.
  void publish(std::exception_ptr error, wake_batch& wakes,
               std::optional<channel<std::monostate>>& signal) noexcept;
  /// The same, all of it; no lock is held.
  void publish(std::exception_ptr error) noexcept;
  /// It is queued again: those who wait look once more whether they can run it. `signal` as in
  /// publish().
  void stir(wake_batch& wakes, std::optional<channel<std::monostate>>& signal) noexcept;
  /// In a job of its pool: runs it here if it is queued. How often it had been queued again before
  /// this looked: who waits afterwards has to know whether it has been once more. Nothing
  /// elsewhere, where nobody can run it.
  [[nodiscard]] std::optional<std::uint32_t> run_if_queued();
  /// Closes when it has been queued again since run_if_queued() gave `seen`.
  [[nodiscard]] receiver<std::monostate> stirred(std::optional<std::uint32_t> seen);

  [[nodiscard]] bool done() noexcept;
  /// Waits until it is over; false when ctx (if any) is done first. In a job of the same pool it
  /// runs this one itself if that is still queued.
  [[nodiscard]] bool wait(const context* until);
  /// Closes when it is over. May this run the job, as wait() does?
  [[nodiscard]] receiver<std::monostate> done_channel(bool may_run = true);
  /// Why it failed; once done.
  [[nodiscard]] std::exception_ptr take_error() noexcept { return std::move(error_); }
  [[nodiscard]] std::exception_ptr error() const noexcept { return error_; }
  /// While nobody else knows of it.
  void set_pool(pool_core* p) noexcept { pool_ = p; }
  /// The pool may be gone from now on; a future that is asking for it has it, or gets none.
  void leave_pool() noexcept {
    const std::lock_guard lock(lock_);
    pool_ = nullptr;
  }

 private:
  template <class Question>
  [[nodiscard]] receiver<std::monostate> signal_in(std::optional<channel<std::monostate>>& kept,
                                                   Question has_happened);

  spin_lock lock_;
  bool done_ = false;
  std::uint32_t stirs_ = 0;
  pool_core* pool_ = nullptr;
  std::exception_ptr error_;
  wait_list waiters_;
  std::optional<channel<std::monostate>> signal_;
};

inline awaited_job* job::awaited() noexcept {
  return posted ? nullptr : static_cast<awaited_job*>(this);
}

/// A list of jobs; links are the jobs' own. The list owns a reference of each.
class job_list {
 public:
  [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }
  [[nodiscard]] job* front() const noexcept { return head_; }
  [[nodiscard]] job* back() const noexcept { return tail_; }
  void push_back(job& j) noexcept {
    j.next = nullptr;
    j.prev = tail_;
    (tail_ != nullptr ? tail_->next : head_) = &j;
    tail_ = &j;
  }
  void push_front(job& j) noexcept {
    j.next = head_;
    (head_ != nullptr ? head_->prev : tail_) = &j;
    head_ = &j;
  }
  /// A chain, linked both ways, whose first has back() before it.
  void append(job& first, job& last) noexcept {
    (tail_ != nullptr ? tail_->next : head_) = &first;
    tail_ = &last;
  }
  /// All up to `last` leave, without a touch of those between. `after` follows; null: look there.
  void remove_up_to(const job& last, job* after) noexcept {
    head_ = after != nullptr ? after : last.next;
    if (head_ == nullptr) tail_ = nullptr;
  }
  /// The first leaves without a touch of the second, which another processor may have, and which
  /// goes on with a `prev` that means nothing.
  void remove(job& j) noexcept {
    if (&j == head_) {
      head_ = j.next;
      if (head_ == nullptr) tail_ = nullptr;
    } else {
      j.prev->next = j.next;
      (j.next != nullptr ? j.next->prev : tail_) = j.prev;
    }
    j.next = j.prev = nullptr;
  }

 private:
  job* head_ = nullptr;
  job* tail_ = nullptr;
};

// ---- the typed part ---------------------------------------------------------------------------

template <class F, class State>
inline constexpr bool takes_state =
    std::invocable<F&, const context&, State&> || std::invocable<F&, State&>;
template <class F>
inline constexpr bool takes_state<F, void> = false;

/// (A lambda that takes auto& is not asked about a context if the State will do: its body might not
/// compile with that.)
template <class F, class State>
inline constexpr bool takes_context = [] {
  if constexpr (takes_state<F, State>) {
    return std::invocable<F&, const context&, State&>;
  } else {
    return std::invocable<F&, const context&>;
  }
}();

/// A function that a pool<State> can run: f(), f(const context&), and with State& behind.
template <class F, class State>
concept job_function = takes_state<F, State> || takes_context<F, State> || std::invocable<F&>;

template <class State, class F>
decltype(auto) call_job(F& f, const context& ctx, [[maybe_unused]] void* state) {
  if constexpr (takes_state<F, State>) {
    if constexpr (std::invocable<F&, const context&, State&>) {
      return std::invoke(f, ctx, *static_cast<State*>(state));
    } else {
      return std::invoke(f, *static_cast<State*>(state));
    }
  } else if constexpr (takes_context<F, State>) {
    return std::invoke(f, ctx);
  } else {
    return f();
  }
}

template <class F, class State>
using job_result =
    decltype(call_job<State>(std::declval<F&>(), std::declval<const context&>(), nullptr));

template <class R>
class result_job : public awaited_job {
 public:
  static_assert(!std::is_reference_v<R>, "a job's result is a value; return a pointer");
  /// Once done, and only once: the result, or its exception.
  R take() {
    if (std::exception_ptr error = take_error()) std::rethrow_exception(std::move(error));
    return std::move(*result_);
  }

 protected:
  std::optional<R> result_;
};

template <>
class result_job<void> : public awaited_job {
 public:
  void take() {
    if (std::exception_ptr error = take_error()) std::rethrow_exception(std::move(error));
  }
};

/// A job with its function. Base is what becomes of the result: a result_job keeps it, a job that
/// is posted does not.
template <class Base, class F, class State>
class function_job final : public Base {
 public:
  explicit function_job(F f) : f_(std::in_place, std::move(f)) {
    this->wants_context = takes_context<F, State>;
    this->wants_state = takes_state<F, State>;
    this->is_small = sizeof(function_job) <= job_block_size;
    this->is_simple = std::same_as<Base, job>;
    if constexpr (std::same_as<Base, job> &&
                  alignof(function_job) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
      constexpr std::size_t left = job_block_size - std::min(sizeof(function_job), job_block_size);
      this->lead_room = left >= 128 ? 3 : left >= 64 ? 2 : left >= 32 ? 1 : 0;  // 16, 8, 4 of them
    }
  }
  std::exception_ptr attempt(const context& ctx, void* mine) noexcept override {
    try {
      if constexpr (std::same_as<Base, job> || std::is_void_v<job_result<F, State>>) {
        (void)call_job<State>(*f_, ctx, mine);
      } else {
        this->result_.emplace(call_job<State>(*f_, ctx, mine));
      }
      return nullptr;
    } catch (...) {
      return std::current_exception();
    }
  }
  void drop_function() noexcept override { f_.reset(); }

 private:
  std::optional<F> f_;
};

template <class F, class State>
using submitted_job = function_job<result_job<job_result<F, State>>, F, State>;
template <class F, class State>
using posted_job = function_job<job, F, State>;

}  // namespace weir::detail
