// SPDX-License-Identifier: MIT
#pragma once
// What contexts name. A tree in which children hold their parents (for values, and to be able to
// leave), and parents know their children without holding them.
//
// Three kinds of node: one that can be cancelled (cancel_node), one that adds a value, and one that
// shields from its ancestors' cancellation. `canceller` is the nearest cancel_node from a node on,
// up to a shield: what its context is done with.
//
// Invariants, of a cancel_node
//   X1  error_, cause_ and from_above_ are written once, under m_, as done_ closes; read after it
//       has, or under m_. plain_cause_ is made by the first who asks, under m_.
//   X2  a child is linked in its parent's list under the parent's m_, and takes that m_, linked or
//       not, before it goes. So who finds it in the list may touch it as long as m_ is held, and
//       needs a reference only for later: if it is on its way out (its count is 0) there is none,
//       and it is left alone.
//   X3  locks are taken down the tree only, m_ after marking_ and done_'s lock after m_; none is
//       held while somebody is woken or a callback starts.
//   X4  once error_ is set, callbacks_, stop_source_ and after_ are for whoever set it.

#include <any>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <system_error>
#include <vector>

#include "runtime/timer_queue.hpp"
#include "weir/channel.hpp"
#include "weir/context.hpp"

namespace weir::detail {

class cancel_node;

/// A function for when a context is done. Guarded by the canceller's lock.
struct after_callback {
  context ctx;
  std::function<void()> f;
  std::size_t index = 0;
  bool armed = false;
};

class context_state : public shared_object {
 public:
  explicit context_state(ref<context_state> parent);
  ~context_state() override;

  /// The nearest value for `key`, null if there is none.
  [[nodiscard]] const std::any* find(const value_key& key) const;

  cancel_node* canceller = nullptr;  // constant; kept alive by this node or its ancestors
  std::unique_ptr<value_key> key;    // constant

 private:
  ref<context_state> parent_;  // (find() reads these two, of each level: one cache line, mostly)

 public:
  std::any value;  // constant

 protected:
  /// Undoes what lets others find this node by itself: its parent's list, its timer, its stop
  /// callback. After it only references that were taken before remain. Idempotent.
  virtual void hide() noexcept {}
};

/// A node that can be cancelled, at a time or by hand.
class cancel_node final : public context_state, public timer_entry, private timer_entry::deferred {
 public:
  explicit cancel_node(ref<context_state> parent);
  ~cancel_node() override;

  /// Links it under its parent's canceller, or cancels it at once if that is done.
  void join_parent();
  /// Gives it a deadline, before join_parent(); false if its parent's is not later.
  [[nodiscard]] bool plan_deadline(time_ns when, std::exception_ptr cause);
  /// Cancels it then, at once if that has passed.
  void arm_deadline(time_ns when);
  /// Cancels it when `token` is.
  void follow(std::stop_token token);

  /// Where a cancellation comes from: here, or an ancestor.
  enum class origin : std::uint8_t { here, above };
  /// This node and all below it; the first call counts.
  void cancel(errc error, std::exception_ptr cause, origin from = origin::here) noexcept;
  [[nodiscard]] bool is_done() const noexcept { return done->is_closed(); }
  [[nodiscard]] std::error_code error() const noexcept;
  [[nodiscard]] std::exception_ptr cause() const noexcept;
  [[nodiscard]] std::stop_token stop_token();

  /// False if it is done already, and f was not kept.
  [[nodiscard]] bool add_callback(const std::shared_ptr<after_callback>& callback);
  [[nodiscard]] bool remove_callback(after_callback& callback);

  const ref<channel_state<std::monostate>> done;
  std::optional<context::clock::time_point> deadline;  // constant once published

 private:
  /// Those of one cancel() that need more than to be marked; linked by after_, and referred to.
  struct marked_nodes {
    cancel_node* first = nullptr;
    cancel_node* last = nullptr;
    bool has_standing = false;  // some have a standing_wait
    void push_back(cancel_node& n) noexcept {
      (last != nullptr ? last->after_ : first) = &n;
      last = &n;
    }
  };

  outcome fire(time_ns now) override;
  timer_entry::deferred* abandon() override;
  void finish() noexcept override;
  void hide() noexcept override;
  void leave_parent() noexcept;
  /// Is done from now on, unless it was: then false. If there is somebody to tell, or a child, it
  /// joins `marked`, with marking_ locked. Its parent's m_ is held, or a reference to it.
  bool mark(errc error, const std::exception_ptr& cause, origin from,
            marked_nodes& marked) noexcept;
  /// Marks some of those right below, and takes them out; false when there are none left.
  bool mark_some_children(errc error, const std::exception_ptr& cause,
                          marked_nodes& marked) noexcept;
  /// Wakes those who wait for it, and so on; without any lock.
  void tell() noexcept;
  /// A std::system_error of error(), the same for all who ask.
  [[nodiscard]] std::exception_ptr plain_cause() const noexcept;
  void link_child(cancel_node& child) noexcept;    // m_ held
  void unlink_child(cancel_node& child) noexcept;  // m_ held

  spin_lock marking_;    // held by whoever cancels, from this node's end to that of all below it
  mutable spin_lock m_;  // guards all below but up_ and timers_; see X4
  errc error_{};
  bool is_waited_for_ = false;  // there was somebody to wake when it was marked
  bool linked_ = false;         // guarded by up_->m_, as next_ and prev_ are
  bool abandoned_ = false;      // by the timer queue, before finish()
  bool from_above_ = false;
  std::exception_ptr cause_;
  mutable std::exception_ptr plain_cause_;  // if there is no other
  cancel_node* first_child_ = nullptr;
  std::vector<std::shared_ptr<after_callback>> callbacks_;
  std::optional<std::stop_source> stop_source_;
  cancel_node* after_ = nullptr;  // of the marked nodes

  cancel_node* up_ = nullptr;  // constant: whose child this is; alive as long as this
  cancel_node* next_ = nullptr;
  cancel_node* prev_ = nullptr;

  ref<timer_queue> timers_;  // constant once published; null without a deadline of its own
  std::exception_ptr deadline_cause_;  // constant, likewise
  std::optional<std::stop_callback<std::function<void()>>> following_;
};

}  // namespace weir::detail
