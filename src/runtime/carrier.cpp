// SPDX-License-Identifier: MIT
#include "runtime/carrier.hpp"

#include <unistd.h>

#include <array>
#include <boost/context/detail/fcontext.hpp>
#include <new>
#include <span>
#include <utility>

#include "port/barrier.hpp"
#include "port/thread_time.hpp"
#include "runtime/return_by_jump.hpp"
#include "runtime/runtime_core.hpp"
#include "runtime/switching.hpp"

// Declared here and not through <cxxabi.h>, whose declaration promises the same result for every
// call: a compiler may then keep the address over a switch, on a thread where it is wrong.
namespace __cxxabiv1 {
struct __cxa_eh_globals;
extern "C" __cxa_eh_globals* __cxa_get_globals() noexcept;
}  // namespace __cxxabiv1

// Link-time optimisation does not see who asks for it by its name.
#if defined(__clang__)
[[gnu::used]]
#else
[[gnu::used, gnu::externally_visible]]
#endif
constinit thread_local weir::detail::relaxed<weir::detail::carrier*>
    weir_this_carrier{nullptr};

namespace weir::detail {

#if !defined(__x86_64__)
[[gnu::noinline]] carrier* this_carrier() noexcept { return weir_this_carrier; }
#endif

namespace {

namespace fiber = boost::context::detail;

constexpr std::int64_t base_interval = 64;  // switches between two visits to the base
// Tasks waiting, when go() lets them run first: so many that their stacks stay in the cache (of the
// processor, and stack_cache).
constexpr std::uint32_t start_backlog = 48;

/// Not inlined: the compiler does not know that this_carrier() reads it.
[[gnu::noinline]] void set_this_carrier(carrier* c) noexcept { weir_this_carrier = c; }

}  // namespace

// Not inlined: the address is this thread's, and must not be known to a caller that switches.
[[gnu::noinline]] exception_state* thread_exceptions() noexcept {
  return reinterpret_cast<exception_state*>(__cxxabiv1::__cxa_get_globals());
}

int this_thread_id() noexcept {
  thread_local const int id = gettid();
  return id;
}

carrier::carrier(runtime_core& owner, int i, std::uint64_t seed) noexcept
    : rt(owner), index(i), directed_(owner.directed_by != nullptr) {
  random.seed(seed + static_cast<std::uint64_t>(i) * 0x9e3779b97f4a7c15U);
}

// ---- switching ----------------------------------------------------------------------------------

void carrier::recycle(task* t) noexcept {
  t->alive = false;
  t->shadow.destroy();
  stacks_.give(t, rt.stacks);
  finished += 1;
  port::light_barrier();  // the compiler's half of what begin_shutdown() does to the processor
  rt.task_finished();
}

WEIR_RETURN_BY_JUMP void carrier::enter_task(task* t) {
  left_ = nullptr;
  left_how_ = leaving::nothing;
  run_next(t);
  jump(base_shadow_, t->context, t->shadow, false);
}

/// The same, where there may be something else to do first.
[[gnu::noinline]] task* carrier::next_looking_up() {
  if (directed_) return next_directed();
  if (grain.window_is_over()) end_window(1);
  if (base_wanted_ || until_base_ <= 0 || rt.stopping()) return nullptr;
  return lane.pop();
}

/// Since it was last asked.
bool carrier::was_preempted() noexcept {
  const std::int64_t before = preemptions_;
  preemptions_ = port::preemptions();
  return preemptions_ != before;
}

/// `own`: so many of the tasks that wait are about to run here.
void carrier::end_window(std::int64_t own) {
  const time_ns now = rt.clock.now();
  until_base_ -= grain.switches();
  // One with a preemption says nothing about the work. Two in a row do: on a busy machine each long
  // piece has some. Where it is coarse anyway that is not asked, for a system call: at worst jobs
  // of 1 to 2 us look larger for the one switch that the next window has.
  left_one_out_ = !left_one_out_ && !grain.coarse() && grain.is_long(now) && was_preempted();
  if (left_one_out_) {
    grain.restart(now);
  } else {
    grain.measure(now);
  }
  if (rt.timers->next_due() <= now) base_wanted_ = true;
  if (grain.coarse() && rt.has_spare() && lane.count() > own) {
    const bool is_alone = lane.count() == 1;
    if (is_alone && !gifts.is_worth_a_try(now)) return;
    task_chain half = lane.give_half();
    if (!rt.give_to_idle(half, nullptr, is_alone ? this : nullptr)) lane.push_all(half);
  }
}

/// Nobody else can tell such a task from one that lets others run: it has to look itself.
bool carrier::end_window_of_pieces() {
  constexpr time_ns slice_ns = 10'000'000;  // Go's
  end_window(0);
  const time_ns now = grain.now_about();
  const std::uint64_t left = task_switches();
  if (left != last_left_) {
    last_left_ = left;
    kept_since_ = now;
  }
  const bool for_long = now - kept_since_ > slice_ns && (lane.count() > 0 || has_mail());
  if ((!for_long && !base_wanted_) || running_ == nullptr || rt.clock.is_virtual()) return false;
  take_mail();  // before it gets in line itself: those who come from elsewhere have waited too
  if (until_base_ <= 0) base_wanted_ = true;
  return true;
}

WEIR_RETURN_BY_JUMP void carrier::yield_current() {
  if (rt.clock.is_virtual()) {
    // Tasks that only poll would stop the clock for ever: after some turns of nothing else, it is
    // as if they waited.
    lazy_turns_ += 1;
    if (rt.directed_by != nullptr) {
      const unseen guard;
      rt.directed_by->step();
    }
    if (lazy_turns_ > 8 + 4 * lane.count()) {
      lazy_turns_ = 0;
      (void)rt.advance_virtual_clock();
      base_wanted_ = true;
    }
  }
  switch_from_task(running_, leaving::yields);
}

[[gnu::noinline]] void carrier::step_back() {
  constexpr std::uint32_t many = 48;  // of those that it met, most wake one or two
  if (crowd_at_ != switches) {
    crowd_at_ = switches;
    crowd_ = 0;
  }
  crowd_ += 1;
  if (crowd_ >= many && running_ != nullptr) yield_current();
}

/// Under a director: to the lane's end, stopped in the middle of an operation.
void carrier::yield_interrupted() {
  task* me = running_;
  me->interrupted = true;
  switch_from_task(me, leaving::yields);
  me->interrupted = false;
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
  // (A forked child's task ends, too; but a lock that this may take can be held in the parent.)
  if (!forked()) delete std::exchange(t.left, nullptr);
}

}  // namespace

void carrier::task_main(carrier* here, void* left_context) noexcept {
  ordered_after(here);
  task* me = here->running_;
  ordered_after(me);
  here->arrive(left_context, me->shadow);
  store_exceptions(here->exceptions(), {});
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
  const bool is_alone = lane.count() == 0;
  // (By the clock: this may be one long piece of work, which no window ends.)
  if (is_alone && !gifts.is_worth_a_try(rt.clock.now())) return false;
  task_chain some;
  if (!is_alone) some = lane.give_half();  // those that came before it
  some.push_back(t);
  if (!rt.give_to_idle(some, t->home, is_alone ? this : nullptr)) {
    lane.push_all(some);
    rt.note_surplus();
  }
  return true;
}

[[gnu::noinline]] void carrier::ready_apart(task* t) {
  if (t->interrupted) {
    t->woken_early = true;  // it is in the lane already, and has yet to park
    return;
  }
  // Ordering: acquire; as in ready().
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

void carrier::enlist(task* t) {
  started += 1;
  if (share(t)) return;
  lane.push_back(t);
  rt.note_surplus();
}

void carrier::start(task* t) {
  enlist(t);
  // Go would preempt a task that starts others without end. Here it steps back: what it started
  // runs while its stack is warm, and reuses few stacks instead of filling memory.
  if (lane.count() > start_backlog && running_ != nullptr) yield_current();
}

task* carrier::take_stack() { return stacks_.take(rt.stacks); }

std::uint64_t carrier::new_id() noexcept {
  constexpr std::uint64_t block = 256;
  if (next_id_ == last_id_) {
    next_id_ = rt.take_ids(block);
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
  // It is busy, perhaps for long. If it only has not fallen asleep yet, it sees to it itself.
  // Ordering: seq_cst; after the mail was written under the lock, see resign_as_watcher().
  if (!wake() && !idle.load(std::memory_order_seq_cst)) rt.note_surplus();
  return true;
}

std::uint32_t carrier::mail_for_sure() noexcept {
  const std::lock_guard lock(mail_lock_);
  return mail_.count;
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
  const exit_watch stops_at_exit;
  set_this_carrier(this);
  exceptions_ = thread_exceptions();
  ordered_before(this);
  use_alternate_stack();
  base_shadow_.adopt_thread();
  grain.restart(rt.clock.now());
  thread_id = this_thread_id();
  for (;;) {
    // First this, then the look at what it may have been set for.
    (void)base_wanted_.exchange(false);
    until_base_ = base_interval;
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
  set_this_carrier(nullptr);
}

void carrier::fire_timers() {
  const time_ns due = rt.timers->next_due();
  if (due == never || due > rt.clock.now()) return;
  const time_ns now = rt.clock.now();
  std::array<timer_entry::deferred*, 16> room{};
  std::size_t n = 0;
  do {
    n = rt.timers->fire_due(now, room);
    for (timer_entry::deferred* rest : std::span(room).first(n)) finish_timer(*rest);
  } while (n == room.size());
}

void carrier::finish_timer(timer_entry::deferred& rest) noexcept {
  if (rt.directed_by != nullptr) {
    // As a task, so that others may come in between, as they may on other carriers.
    try {
      auto finish = [&rest] { rest.finish(); };
      rt.start(rt.new_task("timer", body_ops_of<decltype(finish)>, &finish));
      return;
    } catch (const std::bad_alloc&) {  // NOLINT: here, then
    }
  }
  rest.finish();
}

void carrier::attach(task_chain first) noexcept {
  const std::lock_guard lock(mail_lock_);
  // Nobody is told: it looks there as it begins, and whoever calls may hold the runtime's lock.
  mail_.push_back(first);
  mail_count_ = mail_.count;
  // Ordering: relaxed; mail_lock_ orders it for those who depend on it.
  attached.store(true, std::memory_order_relaxed);
}

task_chain carrier::clear() noexcept {
  task_chain left;
  while (task* t = lane.pop()) left.push_back(t);
  stacks_.drain(rt.stacks, 0);
  return left;
}

void carrier::detach(task_chain& left) noexcept {
  const std::lock_guard lock(mail_lock_);
  // Ordering: relaxed; mail_lock_ orders it for those who depend on it.
  attached.store(false, std::memory_order_relaxed);
  thread_id = 0;  // the next one's is another
  left.push_back(std::exchange(mail_, {}));
  mail_count_ = 0;
}

}  // namespace weir::detail
