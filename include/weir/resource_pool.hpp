// SPDX-License-Identifier: MIT
#pragma once
// resource_pool<T>: a few of something that is dear to make, shared by many: connections, handles.
//
//   weir::resource_pool<connection> db{5, [] { return connection("host=db"); }};
//   auto c = db.acquire();                       // waits while all five are lent
//   c->execute("select 1");                      // given back at the end of the scope
//   if (c->broken()) c.discard();                // or thrown away: the next one is a new one
//
// Guarantees
//   - There are never more than n, those being made or destroyed included. They are made when
//     needed: the one that was given back last is lent next, and a new one made only if none is
//     idle.
//   - Waiters are served in order of arrival; what is given back goes to the first of them, and
//     nobody overtakes. One that leaves with its context has taken nothing.
//   - A factory that throws: the exception goes to who asked, the place to the next waiter.
//   - Leases may outlive the pool: what they hold is destroyed with the last of them. What the
//     factory and the check hold goes after every resource.
//   - Ordering: what happened to a resource before it was given back is visible to the next holder.
// The pool is a handle: copies name the same pool. Thread safety: its methods may be called by any
// task or thread at any time; a lease, and the resource in it, belong to one holder at a time. The
// factory, the check and T's destructor run in who asks or gives back, without a lock: they may
// wait. Cost: lending and giving back take one short lock each.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#include "amount.hpp"
#include "context.hpp"
#include "detail/duration.hpp"
#include "detail/resource_core.hpp"
#include "error.hpp"
#include "go.hpp"

namespace weir {

template <class T>
struct resource_pool_options {
  /// Asked before a resource is lent that was idle for `check_after`: false, or an exception, and
  /// it is thrown away and a new one made. Empty: all are as good as when they were given back.
  std::function<bool(T&)> check = {};
  std::chrono::nanoseconds check_after{0};
  /// One that was idle for longer is thrown away, and one that is older, but not while it is lent.
  /// The pool looks when it is used, as far as it must; if it may lie still for long, call trim()
  /// from time to time.
  std::chrono::nanoseconds max_idle = (std::chrono::nanoseconds::max)();
  std::chrono::nanoseconds max_lifetime = (std::chrono::nanoseconds::max)();
};

/// A resource that is lent until this goes. Movable. A moved-from or given back one is empty, and
/// must not be dereferenced.
template <class T>
class resource_lease {
 public:
  resource_lease() = default;
  resource_lease(resource_lease&& other) noexcept
      : core_(std::move(other.core_)), slot_(std::exchange(other.slot_, nullptr)) {}
  resource_lease& operator=(resource_lease&& other) noexcept {
    if (this != &other) {
      give_back();
      core_ = std::move(other.core_);
      slot_ = std::exchange(other.slot_, nullptr);
    }
    return *this;
  }
  ~resource_lease() { give_back(); }

  [[nodiscard]] T& operator*() const noexcept { return slot_->value; }
  [[nodiscard]] T* operator->() const noexcept { return &slot_->value; }
  explicit operator bool() const noexcept { return slot_ != nullptr; }
  /// Gives it back now. Of an empty lease: nothing.
  void give_back() noexcept {
    // Not `core_ = {}`: in a template clang 16 forgets to destroy that argument.
    const auto last = std::move(core_);
    if (slot_ != nullptr) last->give_back(*std::exchange(slot_, nullptr));
  }
  /// Destroys it, since it is broken, and frees its place. Of an empty lease: nothing.
  void discard() noexcept {
    const auto last = std::move(core_);
    if (slot_ != nullptr) {
      last->destroy(*std::exchange(slot_, nullptr));
      last->free_place();
    }
  }

 private:
  template <class>
  friend class resource_pool;
  resource_lease(detail::ref<detail::resource_core> core, detail::slot_of<T>& slot) noexcept
      : core_(std::move(core)), slot_(&slot) {}

  detail::ref<detail::resource_core> core_;
  detail::slot_of<T>* slot_ = nullptr;
};

template <class T>
class resource_pool {
 public:
  using lease = resource_lease<T>;
  using options = resource_pool_options<T>;

  /// At most n, made by `factory()` or `factory(const context&)`, which gets the context of who
  /// asks. Throws std::invalid_argument if n is not positive, the factory empty, or a time
  /// negative.
  template <class F>
    requires std::is_invocable_r_v<T, F&> || std::is_invocable_r_v<T, F&, const context&>
  resource_pool(amount n, F factory, options o = {}) {
    detail::check_callable(factory, "resource_pool");
    std::function<T(const context&)> make;
    if constexpr (std::is_invocable_r_v<T, F&, const context&>) {
      make = std::move(factory);
    } else {
      make = [f = std::move(factory)](const context&) mutable -> T { return f(); };
    }
    const detail::resource_limits limits{n, o.check_after, o.max_idle, o.max_lifetime};
    state_ = detail::make_ref<state>(limits, std::move(make), std::move(o.check));
  }

  /// Waits until one is free, or may be made. Throws std::system_error with errc::closed if the
  /// pool is, and what the factory throws.
  [[nodiscard]] lease acquire() const {
    auto got = take(nullptr, detail::resource_core::patience::waits);
    if (!got) throw std::system_error(errc::closed, "weir: acquire from a closed resource_pool");
    return std::move(*got);
  }
  /// As acquire(); empty when ctx is done first, which it looks at first, or the pool is closed.
  [[nodiscard]] std::optional<lease> acquire(const context& ctx) const {
    if (ctx.cancelled()) return std::nullopt;
    return take(&ctx, detail::resource_core::patience::waits);
  }
  /// Does not wait for others: empty if all are lent, somebody waits, or the pool is closed. (The
  /// factory and the check may take their time.)
  [[nodiscard]] std::optional<lease> try_acquire() const {
    return take(nullptr, detail::resource_core::patience::none);
  }

  /// Lends no more: destroys what is idle, and what is lent when it is given back; waiters are
  /// turned away. Idempotent.
  void close() const { state_->close(); }
  /// Destroys what has been idle, or is open, for too long.
  void trim() const { state_->trim(detail::resource_core::look_at::all); }
  [[nodiscard]] resource_pool_stats stats() const { return state_->stats(); }
  friend bool operator==(const resource_pool& a, const resource_pool& b) noexcept {
    return a.state_ == b.state_;
  }

 private:
  using slot = detail::slot_of<T>;
  struct state final : detail::resource_core {
    state(const detail::resource_limits& limits, std::function<T(const context&)> f,
          std::function<bool(T&)> c)
        : resource_core(limits), make(std::move(f)), check(std::move(c)) {}
    ~state() override { destroy_idle(); }
    state(const state&) = delete;
    state& operator=(const state&) = delete;
    const std::function<T(const context&)> make;
    const std::function<bool(T&)> check;
  };

  [[nodiscard]] std::optional<lease> take(const context* until,
                                          detail::resource_core::patience patience) const {
    const auto keep = state_;  // other handles may go while this waits
    detail::resource_slot* idle = nullptr;
    if (!keep->take(idle, until, patience)) return std::nullopt;
    slot* lent = static_cast<slot*>(idle);
    if (lent != nullptr && !is_good(*keep, *lent)) {
      keep->destroy(*lent);
      lent = nullptr;
    }
    if (lent == nullptr) lent = &made_by(*keep, until != nullptr ? *until : context());
    return lease(keep, *lent);
  }
  [[nodiscard]] static bool is_good(state& s, slot& lent) noexcept {
    if (s.is_over(lent)) return false;
    if (!s.check || !s.is_to_be_checked(lent)) return true;
    try {
      return s.check(lent.value);
    } catch (...) {
      return false;
    }
  }
  [[nodiscard]] static slot& made_by(state& s, const context& ctx) {
    try {
      slot* made = new slot(s.make, ctx);
      s.note_made(*made);
      return *made;
    } catch (...) {
      s.free_place();
      throw;
    }
  }

  detail::ref<state> state_;
};

}  // namespace weir
