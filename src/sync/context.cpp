// SPDX-License-Identifier: MIT
#include "weir/context.hpp"

#include <unistd.h>

#include <new>
#include <stdexcept>

#include "port/barrier.hpp"
#include "runtime/runtime_core.hpp"
#include "sync/callback.hpp"
#include "sync/context_state.hpp"

namespace weir {
namespace detail {

// ---- nodes --------------------------------------------------------------------------------------

context_state::context_state(ref<context_state> parent) : parent_(std::move(parent)) {
  if (parent_) canceller = parent_->canceller;
}

context_state::~context_state() {
  // A chain of which only the end was held goes link by link, not by recursion.
  ref<context_state> up = std::move(parent_);
  while (up && up->held_once()) {
    up->hide();
    if (!up->held_once()) break;  // somebody had found it before: they end it
    up = ref<context_state>(std::move(up->parent_));
  }
}

const std::any* context_state::find(const value_key& wanted) const {
  for (const context_state* s = this; s != nullptr; s = s->parent_.get()) {
    if (s->key && s->key->has_type_of(wanted) && s->key->equals(wanted)) return &s->value;
  }
  return nullptr;
}

namespace {

ref<channel_state<std::monostate>> make_signal() {
  auto signal = make_ref<channel_state<std::monostate>>(0U);
  signal->signal = true;
  return signal;
}

}  // namespace

cancel_node::cancel_node(ref<context_state> parent)
    : context_state(std::move(parent)), done(make_signal()) {
  up_ = canceller;
  canceller = this;
  if (up_ != nullptr) deadline = up_->deadline;
}

cancel_node::~cancel_node() { hide(); }

void cancel_node::hide() noexcept {
  following_.reset();  // waits for a callback that runs
  if (timers_) timers_->remove(*this);
  leave_parent();
}

void cancel_node::link_child(cancel_node& child) noexcept {
  child.prev_ = nullptr;
  child.next_ = first_child_;
  if (first_child_ != nullptr) first_child_->prev_ = &child;
  first_child_ = &child;
  child.linked_ = true;
}

void cancel_node::unlink_child(cancel_node& child) noexcept {
  (child.prev_ != nullptr ? child.prev_->next_ : first_child_) = child.next_;
  if (child.next_ != nullptr) child.next_->prev_ = child.prev_;
  child.linked_ = false;
}

void cancel_node::join_parent() {
  if (up_ == nullptr) return;
  interruption_point("making of a context");
  std::unique_lock lock(up_->m_);
  if (up_->error_ == errc{}) {
    up_->link_child(*this);
    return;
  }
  const errc error = up_->error_;
  std::exception_ptr cause = up_->cause_;
  lock.unlock();
  cancel(error, std::move(cause), origin::above);
}

void cancel_node::leave_parent() noexcept {
  if (up_ == nullptr) return;
  interruption_point("leaving of a parent context");
  const std::lock_guard lock(up_->m_);
  if (linked_) up_->unlink_child(*this);
}

// ---- cancelling ---------------------------------------------------------------------------------

namespace {

/// Nobody can be told if it can not be started. In a forked child nothing of Weir's runs, so this
/// does not; without memory for a task it runs here. A runtime's end is no reason to forget it: it
/// is the default one's then, which ends with the process.
template <class F>
void call_back(F f) noexcept {
  try {
    if (start_callback(f)) return;
    runtime_core& other = runtime_core::default_core();
    if (&other != &runtime_core::current()) {
      F own = f;  // as in start_callback()
      other.start(other.new_task("after_func", body_ops_of<F>, &own));
    }
  } catch (const std::system_error& e) {
    if (e.code() != errc::forked) f();
  } catch (const std::bad_alloc&) {
    f();
  } catch (const std::invalid_argument&) {
    f();  // no runtime with these settings: whoever starts a task is told
  }
}

/// What a context was given to call. The task takes it over: what it captures, and the context with
/// its values, end there, where they may wait.
struct callback_run {
  std::shared_ptr<after_callback> callback;
  void operator()() const {
    const std::function<void()> f = std::move(callback->f);
    f();
  }
};

/// Ends with its task.
struct kept_node {
  ref<cancel_node> node;
  void operator()() const noexcept {}
};

[[nodiscard]] bool on_base() noexcept {
  return carrier::current() != nullptr && carrier::current_task() == nullptr;
}

/// If the reference is the last one, users' values end with it: in a task, where this is none.
void let_go(ref<cancel_node> node) noexcept {
  if (!on_base()) return;
  if (node->release_unless_last()) {
    (void)node.detach();
  } else {
    call_back(kept_node{std::move(node)});
  }
}

/// Runs the stop callbacks: here, or, where a deadline has passed and no task could wait, in one.
void request_stop(std::stop_source source) {
  if (on_base()) {
    call_back([source]() mutable { source.request_stop(); });
  } else {
    source.request_stop();
  }
}

}  // namespace

void cancel_node::cancel(errc error, std::exception_ptr cause, origin from) noexcept {
  interruption_point("cancel of a context");
  // First all below are done, and then anybody is told: whoever calls cancel() finds them so when
  // it returns, whoever else cancels at the same time, and so does every callback.
  const auto keep = ref<cancel_node>::share(this);  // who sees it done may end the last handle
  marked_nodes marked;
  if (!mark(error, cause, from, marked)) {
    const std::lock_guard wait_for_whoever_marks(marking_);
    return;
  }
  // Breadth first without recursion: a tree may be a chain of any length. Children get the cause of
  // the first cancellation above them, also when none was given.
  for (cancel_node* n = marked.first; n != nullptr; n = n->after_) {
    while (n->mark_some_children(error, cause, marked)) {
    }
  }
  for (cancel_node* n = marked.first; n != nullptr; n = n->after_) n->marking_.unlock();
  leave_parent();                                    // (those below have left theirs)
  if (marked.has_standing) port::process_barrier();  // (S1)
  for (cancel_node* n = marked.first; n != nullptr; n = n->after_) n->tell();
  // Last: what it calls may do anything: cancel this again, or wait for those who were just told.
  while (marked.first != nullptr) {
    auto n = ref<cancel_node>::adopt(std::exchange(marked.first, marked.first->after_));
    if (n->stop_source_) request_stop(*std::exchange(n->stop_source_, std::nullopt));
    let_go(std::move(n));
  }
}

bool cancel_node::mark(errc error, const std::exception_ptr& cause, origin from,
                       marked_nodes& marked) noexcept {
  const std::lock_guard lock(m_);
  if (error_ != errc{}) return false;
  const std::lock_guard signal_lock(done->lock);
  is_waited_for_ = !done->receivers.empty();
  if (is_waited_for_ && done->has_standing) marked.has_standing = true;
  // Most have nobody to tell, and need not be remembered.
  if (is_waited_for_ || first_child_ != nullptr || !callbacks_.empty() || stop_source_ || timers_) {
    if (!try_retain()) return true;  // (X2)
    marking_.lock();                 // nobody else does before error_ is set
    marked.push_back(*this);
  }
  error_ = error;
  cause_ = cause;
  from_above_ = from == origin::above;
  for (const auto& c : callbacks_) c->armed = false;
  done->mark_closed_locked();
  return true;
}

bool cancel_node::mark_some_children(errc error, const std::exception_ptr& cause,
                                     marked_nodes& marked) noexcept {
  constexpr int part = 64;  // so that nobody waits long for m_
  const std::lock_guard lock(m_);
  for (int i = 0; i < part; ++i) {
    cancel_node* const child = first_child_;
    if (child == nullptr) return false;
    unlink_child(*child);
    if (!child->mark(error, cause, origin::above, marked)) {
      // (X2: it stays. A reference might be the last, and end its values here, under locks.)
      const std::lock_guard wait_for_whoever_marks(child->marking_);
    }
  }
  return true;
}

void cancel_node::tell() noexcept {
  interruption_point("wake-ups of a cancelled context");
  if (is_waited_for_) done->wake_receivers();
  for (auto& c : std::exchange(callbacks_, {})) call_back(callback_run{std::move(c)});
  if (timers_) timers_->remove(*this);
}

std::error_code cancel_node::error() const noexcept {
  interruption_point("error of a context");
  if (!is_done()) return {0, category()};
  return make_error_code(error_);  // (X1)
}

std::exception_ptr cancel_node::cause() const noexcept {
  interruption_point("cause of a context");
  if (!is_done()) return nullptr;
  if (cause_) return cause_;  // (X1)
  const cancel_node* first = this;
  while (first->from_above_) first = first->up_;  // (X1: they were done before)
  return first->plain_cause();
}

std::exception_ptr cancel_node::plain_cause() const noexcept {
  {
    const std::lock_guard lock(m_);
    if (plain_cause_) return plain_cause_;
  }
  std::exception_ptr made;  // not under the lock: it allocates
  try {
    throw std::system_error(make_error_code(error_));
  } catch (...) {
    made = std::current_exception();  // it, or that there is no memory for it
  }
  const std::lock_guard lock(m_);
  if (!plain_cause_) plain_cause_ = std::move(made);
  return plain_cause_;
}

std::stop_token cancel_node::stop_token() {
  std::stop_source made;  // allocates: not under the lock
  const std::lock_guard lock(m_);
  if (error_ != errc{}) {
    made.request_stop();  // nobody listens yet
    return made.get_token();
  }
  if (!stop_source_) stop_source_ = std::move(made);
  return stop_source_->get_token();
}

void cancel_node::follow(std::stop_token token) {
  following_.emplace(std::move(token), [this] {
    if (!try_retain()) return;  // it is being destroyed, and waits for this to end
    auto self = ref<cancel_node>::adopt(this);
    const pid_t before = gettid();
    cancel(errc::cancelled, nullptr);
    // If this is the last reference, the callback's own object ends with it, in the callback. The
    // standard allows that to the thread which has asked to stop; on any other it would wait for
    // itself. cancel() does not change the thread, but a user's stop callback that waits may.
    if (gettid() != before) call_back(kept_node{std::move(self)});
  });
}

// ---- deadlines ----------------------------------------------------------------------------------

bool cancel_node::plan_deadline(time_ns when, std::exception_ptr cause) {
  const context::clock::time_point at{std::chrono::nanoseconds(when)};
  if (deadline && *deadline <= at) return false;  // the parent's comes first
  runtime_core& rt = runtime_core::current();
  rt.check_fork();
  deadline = at;
  timers_ = rt.timers;
  deadline_cause_ = std::move(cause);
  return true;
}

void cancel_node::arm_deadline(time_ns when) {
  interruption_point("start of a deadline");
  runtime_core& rt = runtime_core::current();
  if (when <= rt.clock.now()) {
    cancel(errc::deadline_exceeded, deadline_cause_);
    return;
  }
  rt.need_carrier();
  switch (timers_->insert(*this, when)) {
    case timer_queue::added::first: rt.note_earlier_timer(); break;
    case timer_queue::added::later: break;
    case timer_queue::added::closed: cancel(errc::cancelled, nullptr); break;
  }
  interruption_point("check of a new deadline");
  if (is_done()) timers_->remove(*this);  // cancelled from above before the insert
}

timer_entry::outcome cancel_node::fire(time_ns /*now*/) {
  if (!try_retain()) return {};
  return {.rest = this};
}

timer_entry::deferred* cancel_node::abandon() {
  if (!try_retain()) return nullptr;
  abandoned_ = true;
  return this;
}

void cancel_node::finish() noexcept {
  auto self = ref<cancel_node>::adopt(this);
  if (abandoned_) {
    cancel(errc::cancelled, nullptr);  // its clock is gone with its runtime
  } else {
    cancel(errc::deadline_exceeded, deadline_cause_);
  }
  let_go(std::move(self));
}

// ---- callbacks ----------------------------------------------------------------------------------

bool cancel_node::add_callback(const std::shared_ptr<after_callback>& callback) {
  interruption_point("after_func");
  const std::lock_guard lock(m_);
  if (error_ != errc{}) return false;
  callback->index = callbacks_.size();
  callback->armed = true;
  callbacks_.push_back(callback);
  return true;
}

bool cancel_node::remove_callback(after_callback& callback) {
  interruption_point("stop of an after_func");
  std::shared_ptr<after_callback> removed;  // ends outside of the lock
  const std::lock_guard lock(m_);
  if (!callback.armed) return false;
  callback.armed = false;
  removed = std::move(callbacks_[callback.index]);
  if (callback.index + 1 != callbacks_.size()) {
    callbacks_[callback.index] = std::move(callbacks_.back());
    callbacks_[callback.index]->index = callback.index;
  }
  callbacks_.pop_back();
  return true;
}

/// Cancels when the last cancel_func of its context goes.
class cancel_guard {
 public:
  explicit cancel_guard(ref<cancel_node> node) : node_(std::move(node)) {}
  cancel_guard(const cancel_guard&) = delete;
  cancel_guard& operator=(const cancel_guard&) = delete;
  ~cancel_guard() { node_->cancel(errc::cancelled, nullptr); }
  [[nodiscard]] cancel_node& node() const noexcept { return *node_; }

 private:
  ref<cancel_node> node_;
};

struct cancel_func_access {
  static cancellable_context make(const ref<cancel_node>& node) {
    cancel_func f;
    f.guard_ = std::make_shared<const cancel_guard>(node);
    return {context(ref<context_state>(node)), std::move(f)};
  }
};

namespace {

ref<context_state> state_of(const context& ctx) {
  context_state* s = ctx.state();
  if (s != nullptr) s->retain();
  return ref<context_state>::adopt(s);
}

}  // namespace

context with_value(const context& parent, std::unique_ptr<value_key> key, std::any value) {
  auto node = make_ref<context_state>(state_of(parent));
  node->key = std::move(key);
  node->value = std::move(value);
  return context(std::move(node));
}

}  // namespace detail

using detail::cancel_node;

// ---- context ------------------------------------------------------------------------------------

context::context(detail::ref<detail::context_state> state) noexcept {
  if (state && state->canceller != nullptr) done_ = state->canceller->done.get();
  state_ = std::move(state);
}

context::context(std::stop_token token) {
  if (!token.stop_possible() && !token.stop_requested()) return;
  auto node = detail::make_ref<cancel_node>(detail::ref<detail::context_state>());
  node->follow(std::move(token));
  *this = context(detail::ref<detail::context_state>(node));
}

detail::context_state* context::state() const noexcept {
  return static_cast<detail::context_state*>(state_.get());
}

namespace {
cancel_node* canceller_of(const context& ctx) noexcept {
  const detail::context_state* s = ctx.state();
  return s != nullptr ? s->canceller : nullptr;
}
}  // namespace

detail::ref<detail::channel_state<std::monostate>> context::done_channel() const {
  const cancel_node* node = canceller_of(*this);
  return node != nullptr ? node->done : detail::ref<detail::channel_state<std::monostate>>();
}

std::error_code context::error() const noexcept {
  const cancel_node* node = canceller_of(*this);
  return node != nullptr ? node->error() : std::error_code(0, category());
}

std::exception_ptr context::cause() const noexcept {
  const cancel_node* node = canceller_of(*this);
  return node != nullptr ? node->cause() : nullptr;
}

std::optional<context::clock::time_point> context::deadline() const noexcept {
  const cancel_node* node = canceller_of(*this);
  return node != nullptr ? node->deadline : std::nullopt;
}

std::stop_token context::stop_token() const {
  cancel_node* node = canceller_of(*this);
  return node != nullptr ? node->stop_token() : std::stop_token();
}

const std::any* context::find_value(const detail::value_key& key) const {
  const detail::context_state* s = state();
  return s != nullptr ? s->find(key) : nullptr;
}

void cancel_func::operator()() const { (*this)(std::exception_ptr()); }

void cancel_func::operator()(std::exception_ptr cause) const {
  if (guard_) guard_->node().cancel(errc::cancelled, std::move(cause));
}

// ---- making contexts ----------------------------------------------------------------------------

context background() noexcept { return {}; }

cancellable_context with_cancel(const context& parent) {
  auto node = detail::make_ref<cancel_node>(detail::state_of(parent));
  node->join_parent();
  return detail::cancel_func_access::make(node);
}

cancellable_context with_deadline(const context& parent, context::clock::time_point when,
                                  std::exception_ptr cause) {
  auto node = detail::make_ref<cancel_node>(detail::state_of(parent));
  const detail::time_ns at = when.time_since_epoch().count();
  const bool own = node->plan_deadline(at, std::move(cause));  // before others can find it
  node->join_parent();
  if (own) node->arm_deadline(at);
  return detail::cancel_func_access::make(node);
}

cancellable_context detail::with_timeout(const context& parent, nanoseconds timeout,
                                         std::exception_ptr cause) {
  const auto positive = std::max(timeout, nanoseconds::zero());
  return with_deadline(parent, time_after(positive), std::move(cause));
}

context without_cancel(const context& parent) {
  auto node = detail::make_ref<detail::context_state>(detail::state_of(parent));
  node->canceller = nullptr;
  return context(std::move(node));
}

after_func_handle after_func(const context& ctx, std::function<void()> f) {
  detail::check_callable(f, "after_func");
  after_func_handle handle;
  cancel_node* node = canceller_of(ctx);
  if (node == nullptr) return handle;  // never done
  handle.callback_ = std::make_shared<detail::after_callback>();
  handle.callback_->ctx = ctx;
  handle.callback_->f = std::move(f);
  if (!node->add_callback(handle.callback_)) go("after_func", std::move(handle.callback_->f));
  return handle;
}

bool after_func_handle::stop() const {
  return callback_ && canceller_of(callback_->ctx)->remove_callback(*callback_);
}

}  // namespace weir
