// SPDX-License-Identifier: MIT
#include "runtime/carrier.hpp"

#include <unistd.h>

#include <boost/context/detail/fcontext.hpp>
#include <utility>

#include "port/barrier.hpp"
#include "runtime/runtime_core.hpp"
#include "runtime/switch.hpp"

// Declared here and not through <cxxabi.h>, whose declaration promises the same result for every
// call: a compiler may then keep the address over a switch, on a thread where it is wrong.
namespace __cxxabiv1 {
struct __cxa_eh_globals;
extern "C" __cxa_eh_globals* __cxa_get_globals() noexcept;
}  // namespace __cxxabiv1

namespace weir::detail {
namespace {

namespace fiber = boost::context::detail;

constinit thread_local relaxed<carrier*> this_carrier{nullptr};

constexpr std::uint32_t base_interval = 64;   // switches between two visits to the base
constexpr std::uint32_t start_backlog = 256;  // tasks waiting, when go() lets them run first

}  // namespace

// Neither is inlined: the address is this thread's, and must not be known to a caller that
// switches.
// Ordering: relaxed in both; only this thread uses it, from the stacks that it runs: see
// relaxed.hpp.
[[gnu::noinline]] exception_state get_thread_exceptions() noexcept {
  auto* here = reinterpret_cast<exception_state*>(__cxxabiv1::__cxa_get_globals());
  return {std::atomic_ref(here->caught).load(std::memory_order_relaxed),
          std::atomic_ref(here->uncaught).load(std::memory_order_relaxed)};
}

[[gnu::noinline]] void set_thread_exceptions(exception_state state) noexcept {
  auto* here = reinterpret_cast<exception_state*>(__cxxabiv1::__cxa_get_globals());
  // Ordering: relaxed; as above.
  std::atomic_ref(here->caught).store(state.caught, std::memory_order_relaxed);
  std::atomic_ref(here->uncaught).store(state.uncaught, std::memory_order_relaxed);
}

int this_thread_id() noexcept {
  thread_local const int id = gettid();
  return id;
}

carrier::carrier(runtime_core& owner, int i, std::uint64_t seed) noexcept : rt(owner), index(i) {
  random.seed(seed + static_cast<std::uint64_t>(i) * 0x9e3779b97f4a7c15U);
}

// Not inlined, so that no caller keeps the thread-local's address over a switch.
[[gnu::noinline]] carrier* carrier::current() noexcept { return this_carrier; }

task* carrier::current_task() noexcept {
  const carrier* c = current();
  return c != nullptr ? static_cast<task*>(c->running_) : nullptr;
}

// ---- switching ----------------------------------------------------------------------------------

WEIR_NO_ASAN void carrier::jump(stack_shadow& own, void* target, stack_shadow& to, bool last) {
  const exception_state mine = get_thread_exceptions();
  own.leave(to, last, &rt.ids);
  const fiber::transfer_t from = fiber::jump_fcontext(target, this);
  // Perhaps on another thread from here on: nothing that was read before the jump is good now,
  // `this` included. Whoever left passes the carrier on.
  auto* here = static_cast<carrier*>(from.data);
  ordered_after(here);
  here->arrive(from.fctx, own);
  set_thread_exceptions(mine);
}

void carrier::arrive(void* left_context, stack_shadow& own) noexcept {
  task* t = left_;
  own.enter(t != nullptr ? &t->shadow : &base_shadow_);
  (t != nullptr ? t->context : base_context_) = left_context;
  switch (left_how_) {
    case leaving::nothing: break;
    case leaving::parks:
      // Ordering: release; pairs with the acquire of whoever wakes it: its stack is at rest.
      t->parked.store(true, std::memory_order_release);
      break;
    case leaving::yields:
      // Ordering: release; as above, for whoever takes it from the lane.
      t->parked.store(true, std::memory_order_release);
      lane.push_back(t);
      break;
    case leaving::ends: recycle(t); break;
  }
}

void carrier::recycle(task* t) noexcept {
  t->alive = false;
  t->shadow.destroy();
  stacks_.give(t, rt.stacks);
  finished += 1;
  port::light_barrier();  // the compiler's half of what begin_shutdown() does to the processor
  rt.task_finished();
}

void carrier::run_next(task* t) noexcept {
  running_ = t;
  t->home = this;
  // Ordering: relaxed; whoever holds a ready task is alone with it. The next to read this is the
  // one who claims its next operation, ordered by the lock under which that was linked.
  t->parked.store(false, std::memory_order_relaxed);
  switches += 1;
}

void carrier::enter_task(task* t) {
  left_ = nullptr;
  left_how_ = leaving::nothing;
  run_next(t);
  jump(base_shadow_, t->context, t->shadow, false);
}

WEIR_NO_ASAN void carrier::switch_from_task(task* me, leaving how) {
  left_ = me;
  left_how_ = how;
  // A directed run may be over before its tasks are: what they did comes before the run's end, too.
  if (sanitized && rt.directed_by != nullptr) ordered_before(&rt.ids);
  const bool last = how == leaving::ends;
  if (task* t = next_at_hand()) {
    run_next(t);
    jump(me->shadow, t->context, t->shadow, last);
  } else {
    running_ = nullptr;
    jump(me->shadow, base_context_, base_shadow_, last);
  }
}

task* carrier::next_at_hand() {
  if (rt.directed_by != nullptr) [[unlikely]]
    return next_directed();
  since_base_ += 1;
  if (grain.count_switch()) end_window();
  if (base_wanted_ || since_base_ >= base_interval || rt.stopping()) return nullptr;
  return lane.pop();
}

void carrier::end_window() {
  const time_ns now = rt.clock.now();
  grain.measure(now);
  if (rt.timers->next_due() <= now) base_wanted_ = true;
  if (grain.coarse() && rt.has_spare() && lane.count() > 0) {
    task_chain half = lane.give_half();
    if (!rt.give_to_idle(half, nullptr)) lane.push_all(half);
  }
}

void carrier::park_current(wait_reason why) {
  task* me = running_;
  if (me->woken_early) [[unlikely]] {
    me->woken_early = false;
    return;
  }
  me->wait_object = why.object;
  me->wait_amount = why.amount;
  me->wait_since = grain.now_about();
  me->waits = why.kind;
  switch_from_task(me, leaving::parks);
  me->waits = nullptr;
}

void carrier::yield_current() {
  if (rt.clock.is_virtual()) {
    // Tasks that only poll would stop the clock for ever: after some turns of nothing else, it is
    // as if they waited.
    lazy_turns_ += 1;
    if (rt.directed_by != nullptr) {
      const unseen guard;
      rt.directed_by->yielded();
    }
    if (lazy_turns_ > 8 + 4 * lane.count()) {
      lazy_turns_ = 0;
      rt.let_time_pass();
      base_wanted_ = true;
    }
  }
  switch_from_task(running_, leaving::yields);
}

WEIR_NO_ASAN void carrier::finish_current() {
  switch_from_task(running_, leaving::ends);
  std::terminate();  // nobody resumes a task that has ended
}

namespace {

/// The bottom frame of every task.
void run_body(task& t) noexcept {
  try {
    t.ops->run(t.body);
  } catch (...) {
    if (t.rt->directed_by == nullptr) escaped_exception(t);
    const unseen guard;
    t.rt->directed_by->escaped(t);
  }
  if (t.body_on_heap) ::operator delete(t.body, std::align_val_t{t.ops->align});
}

}  // namespace

void carrier::task_main(carrier* here, void* left_context) noexcept {
  ordered_after(here);
  task* me = here->running_;
  ordered_after(me);
  here->arrive(left_context, me->shadow);
  set_thread_exceptions({});
  run_body(*me);
  current()->finish_current();
}

namespace {
void task_entry(fiber::transfer_t from) {
  carrier::task_main(static_cast<carrier*>(from.data), from.fctx);
}
}  // namespace

void* carrier::make_context(task& t, std::byte* top) noexcept {
  return fiber::make_fcontext(top, static_cast<std::size_t>(top - t.stack), task_entry);
}

// ---- making tasks ready -------------------------------------------------------------------------

bool carrier::share(task* t) {
  if (!grain.coarse() || !rt.has_spare()) return false;
  task_chain one;
  one.push_back(t);
  if (!rt.give_to_idle(one, t->home)) lane.push_all(one);
  return true;
}

void carrier::ready(task* t) {
  lazy_turns_ = 0;
  if (t->interrupted) [[unlikely]] {
    t->woken_early = true;  // it is in the lane already, and has yet to park
    return;
  }
  // Ordering: acquire; pairs with arrive(): we may run what is at rest.
  if (!t->parked.load(std::memory_order_acquire)) {
    // As far as we can see it is still on its way off its stack, on the carrier that is its home;
    // when the mail is read there, it is off.
    if (t->home->post(t)) return;
    // Its home has lost its thread since, so it was at rest before that.
    // Ordering: acquire; as above: ordered by the home's mail_lock_, it reads true now.
    (void)t->parked.load(std::memory_order_acquire);
  }
  if (share(t)) return;
  lane.push_next(t);
  rt.note_surplus();
}

void carrier::start(task* t) {
  started += 1;
  if (share(t)) return;
  lane.push_back(t);
  rt.note_surplus();
  // Go would preempt a task that starts others without end. Here it steps back: what it started
  // runs while its stack is warm, and reuses few stacks instead of filling memory.
  if (lane.count() > start_backlog && running_ != nullptr) yield_current();
}

task* carrier::take_stack() { return stacks_.take(rt.stacks); }

std::uint64_t carrier::new_id() noexcept {
  constexpr std::uint64_t block = 256;
  if (next_id_ == last_id_) {
    // Ordering: relaxed; only the numbers matter.
    next_id_ = rt.ids.fetch_add(block, std::memory_order_relaxed);
    last_id_ = next_id_ + block;
  }
  const std::uint64_t id = next_id_;
  next_id_ += 1;
  return id;
}

// ---- mail ---------------------------------------------------------------------------------------

bool carrier::post(task* t) {
  task_chain one;
  one.push_back(t);
  return post(one);
}

bool carrier::post(task_chain tasks) {
  {
    const std::lock_guard lock(mail_lock_);
    // Ordering: relaxed; mail_lock_ orders it.
    if (!attached.load(std::memory_order_relaxed)) return false;
    while (task* t = tasks.pop_front()) mail_.push_back(t);
    mail_count_ = mail_.count;
  }
  if (!wake()) rt.note_surplus();  // it is busy: perhaps for long
  return true;
}

bool carrier::has_mail_for_sure() noexcept {
  const std::lock_guard lock(mail_lock_);
  return mail_.count != 0;
}

bool carrier::wake() noexcept {
  // Ordering: seq_cst; whoever calls has written what there is to see (a flag, a timer) in the same
  // order, or mail under its lock, and the sleeper looks for that after it has set asleep_: one of
  // the two sees the other.
  if (asleep_.load(std::memory_order_seq_cst) == 0) return false;
  // Ordering: seq_cst; as above. Only one caller pays for the system call.
  if (asleep_.exchange(0, std::memory_order_seq_cst) == 1) port::futex_wake(&asleep_);
  return true;
}

void carrier::take_mail() {
  if (mail_count_ == 0) return;
  task_chain mail;
  {
    const std::lock_guard lock(mail_lock_);
    mail = std::exchange(mail_, {});
    mail_count_ = 0;
  }
  lane.push_all(mail);
  if (lane.count() > 1) rt.note_surplus();
}

task_chain carrier::raid_mail() {
  task_chain taken;
  task_chain kept;
  const std::lock_guard lock(mail_lock_);
  while (task* t = mail_.pop_front()) {
    // Ordering: acquire; pairs with arrive(). One that is not yet off its stack stays.
    const bool at_rest = t->parked.load(std::memory_order_acquire);
    (at_rest ? taken : kept).push_back(t);
  }
  mail_ = kept;
  mail_count_ = kept.count;
  return taken;
}

// ---- the base -----------------------------------------------------------------------------------

void carrier::serve(const std::atomic<bool>* until) {
  this_carrier = this;
  ordered_before(this);
  use_alternate_stack();
  base_shadow_.adopt_thread();
  grain.restart(rt.clock.now());
  thread_id = this_thread_id();
  for (;;) {
    // First this, then the look at what it may have been set for.
    (void)base_wanted_.exchange(false);
    since_base_ = 0;
    // Ordering: acquire; pairs with whoever sets it: the lender sees the task's result.
    if ((until != nullptr && until->load(std::memory_order_acquire)) || rt.stopping()) break;
    if (lost_right && !rt.regain_right(*this, until != nullptr)) break;
    fire_timers();
    take_mail();
    if (task* t = rt.directed_by == nullptr ? lane.pop() : next_directed()) {
      enter_task(t);
    } else {
      if (until == nullptr && rt.give_up_right(*this)) break;
      rt.idle(*this, until);
      grain.restart(rt.clock.now());
    }
  }
  running_ = nullptr;
  this_carrier = nullptr;
}

void carrier::fire_timers() {
  const time_ns due = rt.timers->next_due();
  if (due == never || due > rt.clock.now()) return;
  for (timer_entry::deferred* rest : rt.timers->fire_due(rt.clock.now())) {
    if (rt.directed_by == nullptr) {
      rest->finish();
    } else {
      // As a task, so that others may come in between, as they may on other carriers.
      auto finish = [rest] { rest->finish(); };
      rt.start(rt.new_task("timer", body_ops_of<decltype(finish)>, &finish));
    }
  }
}

void carrier::attach() noexcept {
  const std::lock_guard lock(mail_lock_);
  // Ordering: relaxed; mail_lock_ orders it for those who depend on it.
  attached.store(true, std::memory_order_relaxed);
}

task_chain carrier::detach() noexcept {
  task_chain left;
  {
    const std::lock_guard lock(mail_lock_);
    // Ordering: relaxed; mail_lock_ orders it for those who depend on it.
    attached.store(false, std::memory_order_relaxed);
    left = std::exchange(mail_, {});
    mail_count_ = 0;
  }
  while (task* t = lane.pop()) left.push_back(t);
  stacks_.drain(rt.stacks, 0);
  return left;
}

}  // namespace weir::detail
