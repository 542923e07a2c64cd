// SPDX-License-Identifier: MIT
#include "runtime/runtime_core.hpp"

#include <pthread.h>
#include <unistd.h>

#include <cstdio>
#include <new>
#include <random>
#include <stdexcept>
#include <string>

#include "port/barrier.hpp"
#include "runtime/blocking.hpp"
#include "runtime/deadlock.hpp"
#include "runtime/monitor.hpp"
#include "runtime/options.hpp"

namespace weir::detail {
namespace {

std::uint64_t seed_or_random(std::uint64_t seed) {
  if (seed != 0) return seed;
  std::random_device device;
  return (std::uint64_t{device()} << 32U) | device();
}

}  // namespace

std::shared_ptr<runtime_core> runtime_core::make(const runtime_options& options, director* by) {
  refuse_if_forked();
  read_deadlock_setting();
  auto core = std::make_shared<runtime_core>(options, by);
  note_first_runtime();
  registry::instance().add(*core);  // not before: others take references from there
  return core;
}

runtime_core::runtime_core(const runtime_options& options, director* by)
    : directed_by(by),
      clock(options.clock == clock_kind::virtual_time),
      stacks(checked_stack_size(options)),
      timers(make_ref<timer_queue>()),
      limit(checked_carriers(options)),
      seed(seed_or_random(options.seed)),
      generation_(fork_generation()),
      carriers_(std::make_unique<std::unique_ptr<carrier>[]>(2 * carriers_max)),
      spare_(limit) {
  install_overflow_report();
}

runtime_core::~runtime_core() {
  registry::instance().remove(*this);
  ordered_after(&ids);
}

void runtime_core::check_fork() const {
  if (generation_ != fork_generation()) throw std::system_error(errc::forked, "weir: runtime");
}

// ---- starting tasks -----------------------------------------------------------------------------

task* runtime_core::new_task(std::string_view name, const body_ops& ops, void* callable) {
  check_fork();
  carrier* c = carrier::current();
  const bool inside = c != nullptr && &c->rt == this;
  if (!inside && closing()) {
    throw std::system_error(errc::closed, "weir: go() on a runtime that shuts down");
  }
  task* t = inside ? c->take_stack() : stacks.take(1);
  t->shadow.create(t->stack, t->stack_size);

  // The callable stands at the top of the stack, below the header; a huge one on the heap.
  constexpr std::size_t in_place_max = 4096;
  auto top = reinterpret_cast<std::uintptr_t>(t->stack + t->stack_size);
  t->body_on_heap = ops.size > in_place_max;
  t->body = nullptr;
  try {
    if (t->body_on_heap) {
      t->body = ::operator new(ops.size, std::align_val_t{ops.align});
    } else {
      top = (top - ops.size) / ops.align * ops.align;
      t->body = reinterpret_cast<void*>(top);
    }
    ops.construct(t->body, callable);
  } catch (...) {
    if (t->body_on_heap && t->body != nullptr) {
      ::operator delete(t->body, std::align_val_t{ops.align});
    }
    t->shadow.destroy();
    stacks.give(t);
    throw;
  }
  t->rt = this;
  t->ops = &ops;
  // Ordering: relaxed; whoever gets hold of it does so through a lock, or the lane.
  t->parked.store(true, std::memory_order_relaxed);
  c = inside ? carrier::current() : nullptr;  // a user's move may have waited, and gone elsewhere
  t->id = inside ? c->new_id() : take_ids(1);
  t->home = c;
  t->waits = nullptr;
  t->wait_since = 0;  // it has never waited
  const std::size_t kept = std::min(name.size(), task::name_size - 1);
  name.copy(t->name, kept);
  t->name[kept] = '\0';
  t->alive = true;
  t->local = nullptr;
  t->waited_for = nullptr;
  t->context = carrier::make_context(*t, reinterpret_cast<std::byte*>(top / 64 * 64));
  ordered_before(t);
  return t;
}

void runtime_core::discard(task* t) noexcept {
  t->ops->destroy(t->body);
  if (t->body_on_heap) ::operator delete(t->body, std::align_val_t{t->ops->align});
  t->alive = false;
  t->shadow.destroy();
  stacks.give(t);
}

void runtime_core::count_from_outside() {
  // Ordering: seq_cst, with the look at closing_ after it: begin_shutdown() sets that and then
  // looks at the count. Either it waits for this task, or we see that it must not start.
  started_outside_.fetch_add(1, std::memory_order_seq_cst);
  if (!closing_.load(std::memory_order_seq_cst)) return;
  uncount_from_outside();
  throw std::system_error(errc::closed, "weir: go() on a runtime that shuts down");
}

void runtime_core::uncount_from_outside() noexcept {
  // Ordering: seq_cst; as above: whoever waits for the last task is told.
  started_outside_.fetch_sub(1, std::memory_order_seq_cst);
  if (closing_.load(std::memory_order_seq_cst)) report_if_drained();
}

void runtime_core::need_carrier() {
  if (const carrier* c = carrier::current(); c != nullptr && &c->rt == this) return;
  while (first_attached() == nullptr && !stopping()) {  // (a lent thread's may leave meanwhile)
    const start_result how = try_to_start_carrier();
    if (how == start_result::no_memory) throw std::bad_alloc();
    if (how != start_result::no_more_threads) continue;
    throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again),
                            "weir: cannot start a carrier thread");
  }
}

runtime_core::start_result runtime_core::try_to_start_carrier() noexcept {
  task_chain none;
  const start_result how = start_carrier(none);
  if (how != start_result::started) settle(none);
  return how;
}

void runtime_core::start(task* t) {
  carrier* c = carrier::current();
  if (c != nullptr && &c->rt == this) {
    c->start(t);
    return;
  }
  try {
    need_carrier();
    count_from_outside();
  } catch (...) {
    discard(t);
    throw;
  }
  inject(t);
}

carrier* runtime_core::first_attached() const noexcept {
  carrier* stuck = nullptr;
  for (int i = 0; i < known_carriers(); ++i) {
    // Ordering: relaxed; post() decides.
    if (!at(i).attached.load(std::memory_order_relaxed)) continue;
    if (!at(i).lost_right) return &at(i);
    stuck = &at(i);
  }
  return stuck;
}

void runtime_core::inject(task* t) {
  // Once it is ready the task may run, end, and be the last that the runtime's destructor waits
  // for.
  const std::shared_ptr<runtime_core> keep = immortal_ ? nullptr : shared_from_this();
  carrier* home = t->home;
  // Ordering: acquire; pairs with carrier::arrive(): it may run elsewhere.
  if (home != nullptr && home->lost_right && t->parked.load(std::memory_order_acquire)) {
    home = nullptr;
  }
  if (home == nullptr) home = first_attached();
  // Ordering: relaxed; a hint. acquire on parked: pairs with carrier::arrive().
  const bool spread = home != nullptr && home->grain.coarse() &&
                      !home->idle.load(std::memory_order_relaxed) && has_spare() &&
                      t->parked.load(std::memory_order_acquire);
  if (!spread && home != nullptr && home->post(t)) return;
  // If it has no home any more it is at rest, and may go anywhere.
  task_chain one;
  one.push_back(t);
  if (!give_to_idle(one)) settle(one);
}

void runtime_core::settle(task_chain tasks) noexcept {
  while (tasks.count > 0) {
    if (carrier* any = first_attached(); any != nullptr && any->post(tasks)) return;
    // Those that there were have left: lent threads.
    const start_result how = start_carrier(tasks);
    if (how == start_result::started) return;
    const std::lock_guard lock(m_);
    // Ordering: relaxed; stop() sets it under m_.
    if (stop_.load(std::memory_order_relaxed)) return;  // abandoned
    if (attached_ != 0 || !failed(how)) continue;
    stranded_.push_back(std::exchange(tasks, {}));  // for the next carrier that there is,
    (void)monitor::instance().rouse();              // which the monitor tries to start
  }
}

bool runtime_core::keep_going() noexcept {
  if (directed_by != nullptr) return true;
  {
    const std::lock_guard lock(m_);
    const bool wanted = stranded_.count > 0 || timers->next_due() != never;
    if (attached_ != 0 || !wanted) return true;
  }
  return !failed(try_to_start_carrier());
}

void runtime_core::inject_all(task_chain tasks) {
  while (task* t = tasks.pop_front()) {
    t->home = nullptr;
    inject(t);
  }
}

// ---- carriers and their threads -----------------------------------------------------------------

carrier* runtime_core::reserve_carrier(bool lender) {
  const std::lock_guard lock(m_);
  // Ordering: relaxed; stop() takes m_ after it has set this.
  if (stop_.load(std::memory_order_relaxed)) return nullptr;
  if (lender && clock.is_virtual() && attached_ != 0) return nullptr;
  // Ordering: relaxed; m_ orders it.
  if (!lender &&
      (entitled_.load(std::memory_order_relaxed) >= limit || attached_ >= limit + relief_max)) {
    return nullptr;
  }
  carrier* c = nullptr;
  if (!free_.empty()) {
    c = free_.back();
    free_.pop_back();
  } else {
    const int n = known_carriers();
    if (n == 2 * carriers_max) {
      if (!lender) return nullptr;
      throw std::length_error("weir::run: more than 1024 threads at once. Run fewer.");
    }
    carriers_[static_cast<std::size_t>(n)] = std::make_unique<carrier>(*this, n, seed);
    c = &at(n);
    free_.reserve(static_cast<std::size_t>(n) + 1);  // so that return_carrier() need not allocate
    // Ordering: release; pairs with known_carriers(): the object is there.
    carrier_count_.store(n + 1, std::memory_order_release);
  }
  attached_ += 1;
  change_entitled(+1);
  const unbroken under_mutex;
  c->attach(std::exchange(stranded_, {}));
  return c;
}

task_chain runtime_core::release_carrier(carrier& c) noexcept {
  task_chain left = c.clear();
  const std::lock_guard lock(m_);
  const unbroken under_mutex;
  c.detach(left);
  attached_ -= 1;
  if (!c.lost_right) change_entitled(-1);
  c.lost_right = false;
  free_.push_back(&c);  // no allocation: reserve_carrier() made room
  ended_.notify_all();
  return left;
}

void runtime_core::thread_main(carrier* c) noexcept {
  while (c != nullptr) {
    char name[16];
    std::snprintf(name, sizeof name, "weir-%d", c->index);
    pthread_setname_np(pthread_self(), name);
    c->serve(nullptr);
    // The one thread of a forked child, whose function has returned: as the end of any last thread.
    if (generation_ != fork_generation()) _exit(0);
    const task_chain left = release_carrier(*c);
    if (stopping()) {  // what is left is abandoned
      tell_callers_if_over();
      return;
    }
    inject_all(left);
    c = wait_on_bench();
  }
}

runtime_core::start_result runtime_core::start_thread(carrier& c) noexcept {
  constexpr time_ns patience = 10'000'000;
  try {
    const std::lock_guard lock(m_);
    // Ordering: relaxed; stop() sets it under m_. After that join() may have come, and nobody would
    // join this thread.
    if (stop_.load(std::memory_order_relaxed)) return start_result::not_wanted;
    if (take_from_bench(c)) return start_result::started;
    threads_.emplace_back([self = shared_from_this(), &c] { self->thread_main(&c); });
    return start_result::started;
  } catch (const std::bad_alloc&) {
    return start_result::no_memory;
  } catch (...) {
    // Ordering: relaxed; a hint that saves attempts that would fail again.
    no_threads_until_.store(steady_now() + patience, std::memory_order_relaxed);
    return start_result::no_more_threads;  // those that there are go on
  }
}

runtime_core::start_result runtime_core::start_carrier(task_chain& tasks) noexcept {
  if (lacks_threads()) return start_result::no_more_threads;
  carrier* c = nullptr;
  try {
    c = reserve_carrier(false);
  } catch (...) {
    return start_result::no_memory;
  }
  if (c == nullptr) return start_result::not_wanted;
  if (tasks.count > 0) (void)c->post(tasks);  // just attached, so it takes them
  const start_result how = start_thread(*c);
  if (how == start_result::started) {
    tasks = {};
    return how;
  }
  tasks = release_carrier(*c);  // perhaps with mail of others
  if (stopping()) tell_callers_if_over();
  return how;
}

void runtime_core::direct(task* first, const std::atomic<bool>& over) {
  carrier* c = nullptr;
  try {
    c = reserve_carrier(true);
  } catch (...) {
    discard(first);
    throw;
  }
  c->started += 1;
  (void)c->post(first);
  c->serve(&over);
  ordered_after(&ids);
  (void)release_carrier(*c);  // what has not ended never will
}

runtime_core::lent_how runtime_core::lend_thread(lending& l, task* first) {
  const std::shared_ptr<runtime_core> keep = immortal_ ? nullptr : shared_from_this();
  carrier* c = nullptr;
  bool counted = false;
  try {
    count_from_outside();
    counted = true;
    c = reserve_carrier(true);
  } catch (...) {
    if (counted) uncount_from_outside();
    discard(first);
    throw;
  }
  if (c == nullptr) {
    uncount_from_outside();
    discard(first);
    return stopping() ? lent_how::stopped : lent_how::not_at_all;
  }
  // Ordering: release; pairs with end_lending(), which may come from another carrier: *c is made.
  l.by.store(c, std::memory_order_release);
  (void)c->post(first);
  c->serve(&l.done);
  if (generation_ == fork_generation()) {
    inject_all(release_carrier(*c));
    if (!keep_going()) (void)monitor::instance().rouse();  // the timers have lost their keeper
    if (stopping()) tell_callers_if_over();
    wait_for_the_end_of(l);
  }
  // Ordering: acquire; pairs with end_lending(): the task's result is visible.
  return l.done.load(std::memory_order_acquire) ? lent_how::until_the_end : lent_how::stopped;
}

void runtime_core::wait_for_the_end_of(lending& l) {
  // Stopped before the function has ended: it may be running, on another carrier or in a blocking
  // call, and what it uses is on our stack. So this waits until nothing of this runtime runs.
  std::unique_lock lock(m_);
  // Ordering: acquire; as in lend_thread(), and for what a call has done.
  while (!l.done.load(std::memory_order_acquire) &&
         (attached_ != 0 || calls_inside.load(std::memory_order_acquire) != 0 || immortal_)) {
    // The default runtime stops only with the process, which ends without us.
    ended_.wait_for(lock, std::chrono::milliseconds(1));
  }
}

void runtime_core::end_lending(lending& l) noexcept {
  // Ordering: acquire; pairs with lend_thread().
  carrier* by = l.by.load(std::memory_order_acquire);
  // Ordering: seq_cst; release for the result, and before the look at whether the lender sleeps.
  l.done.store(true, std::memory_order_seq_cst);
  by->call_to_base();
  by->wake();
}

// ---- life ---------------------------------------------------------------------------------------

std::uint64_t runtime_core::live_tasks() const noexcept {
  // The counts are their carriers' own, written without a fence: this is it.
  port::process_barrier();
  // First those that have finished, then those that have started, which can only have grown: if the
  // two are equal, there was a moment in between at which nothing lived.
  std::uint64_t finished = 0;
  for (int i = 0; i < known_carriers(); ++i) finished += at(i).finished;
  port::process_barrier();
  // Ordering: relaxed; the barrier orders it after the sum above.
  std::uint64_t started = started_outside_.load(std::memory_order_relaxed);
  for (int i = 0; i < known_carriers(); ++i) started += at(i).started;
  return started - finished;
}

void runtime_core::begin_shutdown() noexcept {
  // Ordering: seq_cst; pairs with new_task() and task_finished().
  closing_.store(true, std::memory_order_seq_cst);
  // Carriers count a task as finished and then look at closing_, without a fence: this is theirs.
  // So either they see it and report, or the caller, who looks after this, sees the count.
  port::process_barrier();
}

void runtime_core::report_if_drained() noexcept {
  if (live_tasks() == 0) tell_drain_waiters();
}

void runtime_core::tell_drain_waiters() noexcept {
  wake_batch wakes;
  {
    const std::lock_guard lock(drain_lock);
    while (wait_node* n = drain_waiters.claim_front()) wakes.add(*n);
  }
  wakes.wake_all();
}

void runtime_core::stop() noexcept {
  {
    const std::lock_guard lock(m_);
    // Ordering: seq_cst; before the look at who sleeps, see idle.cpp. Release for stopping().
    stop_.store(true, std::memory_order_seq_cst);
  }
  bench_.notify_all();
  for (int i = 0; i < known_carriers(); ++i) {
    at(i).call_to_base();
    at(i).wake();
  }
  tell_callers_if_over();
}

void runtime_core::tell_callers_if_over() noexcept {
  {
    const std::lock_guard lock(m_);
    // Ordering: relaxed; stop() sets it under m_. (The default runtime stops with the process.)
    if (!stop_.load(std::memory_order_relaxed)) return;
    ended_.notify_all();  // perhaps it was a call that has
    if (attached_ != 0 || immortal_) return;
  }
  // Ordering: acquire; pairs with the end of a call. One that ends later looks here itself: its
  // look at attached_, under m_, comes after ours.
  if (calls_inside.load(std::memory_order_acquire) != 0) return;
  wake_batch wakes;
  {
    const std::lock_guard lock(callers_lock_);
    callers_told_ = true;
    while (wait_node* n = callers_.claim_front()) wakes.add(*n);
  }
  wakes.wake_all();
}

bool runtime_core::add_caller(wait_node& n) noexcept {
  const std::lock_guard lock(callers_lock_);
  if (!callers_told_) callers_.push_back(n);
  return !callers_told_;
}

void runtime_core::remove_caller(wait_node& n) noexcept {
  const std::lock_guard lock(callers_lock_);
  if (n.linked) callers_.remove(n);
}

bool runtime_core::stop_if_drained() noexcept {
  const std::lock_guard lock(last_start);
  if (live_tasks() != 0) return false;
  stop();
  return true;
}

bool runtime_core::wait_for_carriers(std::chrono::steady_clock::time_point deadline) noexcept {
  const carrier* me = carrier::current();
  const int mine = me != nullptr && &me->rt == this ? 1 : 0;
  std::unique_lock lock(m_);
  return ended_.wait_until(lock, deadline, [&] { return attached_ <= mine; });
}

bool runtime_core::wait_for_calls(std::chrono::steady_clock::time_point deadline) noexcept {
  const int mine = runtime_of_call() == this ? 1 : 0;
  std::unique_lock lock(m_);
  return ended_.wait_until(lock, deadline, [&] {
    // Ordering: acquire; pairs with the end of a call: what it did comes before what follows here.
    return calls_inside.load(std::memory_order_acquire) <= mine;
  });
}

std::vector<std::thread> runtime_core::take_threads() noexcept {
  const std::lock_guard lock(m_);
  return std::exchange(threads_, {});
}

void runtime_core::join() noexcept {
  for (std::thread& t : take_threads()) {
    if (t.get_id() == std::this_thread::get_id()) {
      t.detach();
    } else {
      t.join();
    }
  }
}

void runtime_core::let_go() noexcept {
  for (std::thread& t : take_threads()) t.detach();  // each holds a reference to this
}

void runtime_core::abandon() noexcept {
  {
    const std::lock_guard lock(m_);
    stacks.leak();
    stay();
  }
  stop();
  tell_drain_waiters();  // who find that it has stopped
}

// ---- which runtime ------------------------------------------------------------------------------

namespace {

std::atomic<runtime_core*> the_default{nullptr};
std::mutex default_m;  // guards the making of it

}  // namespace

runtime_core& runtime_core::default_core() {
  // Ordering: acquire; pairs with the store below: the object is complete.
  if (runtime_core* core = the_default.load(std::memory_order_acquire)) return *core;
  const std::lock_guard lock(default_m);
  // Ordering: relaxed; default_m orders it.
  if (runtime_core* core = the_default.load(std::memory_order_relaxed)) return *core;
  auto made = make(runtime_options{});
  made->self_ = made;  // nothing of it may be destroyed: tasks may be abandoned at the end of main
  made->immortal_ = true;
  stop_at_process_end(*made);
  // Ordering: release; pairs with the acquire above.
  the_default.store(made.get(), std::memory_order_release);
  return *made;
}

runtime_core* runtime_core::current_if_started() noexcept {
  if (const carrier* c = carrier::current()) return &c->rt;
  // Ordering: acquire; as above.
  return the_default.load(std::memory_order_acquire);
}

runtime_core& runtime_core::current() {
  if (const carrier* c = carrier::current()) return c->rt;
  return default_core();
}

}  // namespace weir::detail
