// SPDX-License-Identifier: MIT
// How a pool begins, ends, and changes while it runs.
#include <algorithm>
#include <limits>

#include "pool/job_memory.hpp"
#include "pool/pool_core.hpp"
#include "pool/pool_options.hpp"
#include "pool/pool_queue.hpp"
#include "port/barrier.hpp"
#include "port/stack_memory.hpp"
#include "runtime/process.hpp"
#include "runtime/runtime_core.hpp"
#include "sync/call_later.hpp"
#include "sync/context_state.hpp"
#include "sync/wait.hpp"

namespace weir::detail {
namespace {

[[nodiscard]] runtime_core& core_of(const pool_options& options) {
  return options.runtime != nullptr ? options.runtime->core() : runtime_core::current();
}

constexpr wait_kind drain_wait{"wait for pool", "queued"};
constexpr wait_kind join_wait{"join the workers of pool"};

/// A worker's that has nothing left to do. If there is no thread to wait for it meanwhile, this
/// carrier does.
void join_ended(std::thread& t) {
  try {
    blocking([&] { t.join(); });
  } catch (...) {
    if (t.joinable()) t.join();
  }
}

}  // namespace

pool_core::pool_core(const context& parent, pool_options options, make_state make)
    : pool_core(with_cancel(parent), checked(std::move(options)), std::move(make)) {
  if (parent.done_core() == nullptr && options_.on_error != on_error::fail_fast) return;
  on_done_ = after_func(ctx_, [link = link_] {
    if (const ref<pool_core> core = link->core()) core->cancel_all(core->ctx_.error());
  });
}

pool_core::pool_core(cancellable_context own, pool_options options, make_state make)
    : options_(std::move(options)),
      make_state_(std::move(make)),
      where_(core_of(options_)),
      where_kept_(where_.keep()),
      coarse_ages_(!options_.timings && !where_.clock.is_virtual() &&
                   options_.when_full != when_full::drop_oldest),  // which has to know who it is
      may_take_few_(options_.order == start_order::any && plain_runs_ && !options_.timings &&
                    !has_brake() && options_.when_full == when_full::block &&
                    port::has_process_barrier()),
      ctx_(std::move(own.ctx)),
      cancel_(std::move(own.cancel)),
      link_(std::make_shared<weak_link>(this)),
      held_(has_brake() && short_of_memory()),
      target_(first_workers(options_.workers)) {
  if (options_.timings) timings_ = std::make_unique<pool_timings>();
  begin_to_adapt(options_.workers);
  if (options_.retry.attempts > 1) {
    job_extras of_each;
    of_each.retry = options_.retry;
    note_extras(of_each);
  }
  if (options_.host == host::threads || where_.immortal()) return;
  if (!where_.add_listener(*this)) pool_core::runtime_ended();
}

pool_core::~pool_core() {
  if (!forked()) where_.remove_listener(*this);  // (there another thread may have had the lock)
  (void)on_done_.stop();
  link_->cut();
  if (watch_timer_) call_never(*watch_timer_);
  // Some are there still if it ended in one of its own threads, or in a forked child, where they
  // are none, and another may have the name of one.
  for (std::thread& t : take_threads()) {
    if (forked()) {
      alignas(std::thread) std::byte never_ended[sizeof(std::thread)];
      ::new (static_cast<void*>(never_ended)) std::thread(std::move(t));
    } else {
      t.detach();
    }
  }
}

void pool_core::describe(job& j) {
  if (options_.retry.attempts > 1) {
    describe(j, nullptr, {});
  } else if (awaited_job* const a = j.awaited()) {
    a->set_pool(this);
  }
}

void pool_core::describe(job& j, const context* ctx, job_options&& options) {
  check_job(options, options_);
  j.priority = options.priority;
  j.cost = options.cost;
  j.is_free = is_free(j.cost);
  if (awaited_job* const a = j.awaited()) a->set_pool(this);
  // All of it now: once the job is in the queue, its future and its worker read it.
  if (options.retry.attempts == 0 && options_.retry.attempts > 1) options.retry = options_.retry;
  if (ctx == nullptr && options.timeout.count() == 0 && options.retry.attempts <= 1 &&
      options.name.empty()) {
    return;
  }
  j.extras = std::make_unique<job_extras>();
  if (ctx != nullptr && ctx->state() != nullptr) j.extras->ctx = *ctx;
  j.extras->timeout = options.timeout;
  j.extras->retry = std::move(options.retry);
  j.extras->name = std::move(options.name);
  note_extras(*j.extras);
}

/// So that memory_bound() counts them: a job's in each place.
void pool_core::note_extras(const job_extras& extras) noexcept {
  constexpr std::size_t of_malloc = 16;
  // A function, with its blocks, and its places in the list, which grows by doubling.
  constexpr std::size_t watch = sizeof(after_callback) + 2 * of_malloc + 48 + 4 * sizeof(void*);
  const std::size_t all = sizeof(job_extras) + of_malloc + (extras.ctx ? watch : 0) +
                          (extras.retry.attempts > 1 ? call_later_memory : 0);
  if (all <= extras_memory_) return;
  const std::lock_guard lock(lock_);
  extras_memory_ = std::max<std::size_t>(extras_memory_, all);
}

void pool_core::close() {
  interruption_point("close of a pool");
  wake_batch wakes;
  lock();
  closed_ = true;
  refuse_waiting(wakes, refused_closed);
  const todo rest = settle(wakes);
  unlock();
  after_settling(wakes, rest);
}

/// Whoever waits for room gets none. The lock is held.
void pool_core::refuse_waiting(wake_batch& wakes, refusal why) noexcept {
  while (wait_node* n = submitters_.claim_front()) {
    --waiting_submitters_;
    ++(why == refused_closed ? stats_.rejected : stats_.cancelled);
    n->weight = why;
    wakes.add(*n);
  }
}

/// Waits in the list for a change; true when it was the end. `lock_` is held, and then not.
bool pool_core::wait_for_end(wait_list& list, const context* until, bool& ended) {
  wait_node node;
  note_grain();
  const auto queued = static_cast<std::size_t>(depth_);
  open_inbox();
  const bool in_time =
      wait_in(lock_, list, node, until, {.kind = &drain_wait, .object = this, .amount = queued});
  ended = in_time && node.ok;
  return in_time;
}

bool pool_core::wait(const context* until) {
  interruption_point("wait for a pool");
  job_frame* const own = frame_here();
  const std::int64_t waiting = mark_waiting(own);
  bool ended = false;
  bool in_time = true;
  while (!ended && in_time) {
    lock();
    if (own != nullptr ? drained() : is_over()) {
      wake_batch wakes;
      end_all_waits(wakes);  // those that are in here as well: this job was the last to come
      unlock();
      wakes.wake_all();
      break;
    }
    wake_batch wakes;
    job* j = own != nullptr ? pick(nullptr) : nullptr;
    if (j == nullptr && own != nullptr && !submitters_.empty()) {
      ++idle_count_;  // a free hand is room, and with a queue of 0 the only one
      admit_waiting(wakes);
      --idle_count_;
      j = pick(nullptr);
    }
    if (j == nullptr && wakes.empty()) {
      in_time = wait_for_end(own != nullptr ? inner_enders_ : enders_, until, ended);
      continue;
    }
    const todo rest = settle(wakes);
    unlock();
    after_settling(wakes, rest);
    if (j != nullptr) run_here(*j, own);
  }
  unmark_waiting(own, waiting);
  return in_time;
}

/// Counts the jobs of this stack that wait now, and did not already: they are not waited for.
std::int64_t pool_core::mark_waiting(job_frame* own) {
  std::int64_t count = 0;
  const std::lock_guard all(*this);
  put_down(own);
  for (job_frame* f = own; f != nullptr && !(f->pool == this && f->waits); f = f->below) {
    if (f->pool != this || f->running == nullptr) continue;
    f->waits = true;
    subtract(running_cost_, f->running->cost);  // or what it waits for might never fit
    ++count;
  }
  inside_ += count;
  return count;
}

void pool_core::unmark_waiting(job_frame* own, std::int64_t count) {
  const std::lock_guard all(*this);
  inside_ -= count;
  for (job_frame* f = own; count > 0; f = f->below) {
    if (f->pool != this || f->running == nullptr) continue;
    f->waits = false;
    add(running_cost_, f->running->cost);
    --count;
  }
}

/// Empties the queue and what waits for another attempt. The lock is held.
job_list pool_core::take_queued() noexcept {
  job_list taken;
  const auto take_all = [&](const job_list& list) {
    while (job* j = list.front()) {
      take_out(*j);
      j->state = job_state::over;
      ++stats_.cancelled;
      taken.push_back(*j);
    }
  };
  for (const job_list* const list : queues()) take_all(*list);
  take_all(retrying_);
  return taken;
}

void pool_core::cancel_all(std::error_code why) {
  wake_batch wakes;
  lock();
  stopped_ = true;  // its context is done
  paused_ = false;  // what is left is not run: a job that ends may wait for all the others
  never_pauses_ = true;
  refuse_waiting(wakes, refused_cancelled);
  const todo rest = settle(wakes);
  unlock();
  after_settling(wakes, rest);
  const std::exception_ptr error = unrun_error(why);
  while (cancel_next(error)) {
  }
}

void pool_core::fail_all(const std::exception_ptr& cause) {
  cancel_(cause);
  cancel_all(errc::cancelled);
}

unrun_jobs pool_core::stop(std::exception_ptr cause) {
  interruption_point("stop of a pool");
  unrun_jobs result;
  wake_batch wakes;
  lock();
  closed_ = stopped_ = true;
  job_list jobs = take_queued();
  refuse_waiting(wakes, refused_cancelled);
  const todo rest = settle(wakes);
  unlock();
  after_settling(wakes, rest);
  try {
    result.report_ = report();  // before those that run hear of it
    cancel_(std::move(cause));
    while (job* j = jobs.front()) {
      result.jobs_.emplace_back();  // the room for it; then nothing can fail
      jobs.remove(*j);
      trace_unrun(*j, job_end::returned);
      if (awaited_job* const a = j->awaited()) a->leave_pool();
      result.jobs_.back() = ref<job>::adopt(j);
    }
  } catch (...) {  // no memory: they can not be given back, but whoever waits for them is told
    cancel_(std::move(cause));
    give_up(jobs, errc::cancelled);
    throw;
  }
  return result;
}

bool pool_core::has_lost_its_workers() noexcept {
  if (forked()) return true;
  if (options_.host == host::threads) return process_ends_here() && !ends_in_time();
  if (!has_lost_its_runtime()) return false;
  if (!process_ends_here()) {
    wait_for_unrun();
    drop_functions();
  }
  return true;
}

/// Its tasks, too, end with its runtime; what they have not begun will never run, and says so.
void pool_core::runtime_ended() noexcept {
  std::optional<cancel_func> also;
  {
    const std::lock_guard all(*this);
    lost_ = closed_ = true;
    also = cancel_too_;
  }
  if (also) (*also)();
  fail_all(job_error(errc::closed, "weir: the runtime of a pool has ended"));
}

void pool_core::cancel_too(cancel_func also) {
  const std::lock_guard all(*this);
  cancel_too_ = std::move(also);
}

/// Another may be ending, instead of running, what was queued: that is the user's.
void pool_core::wait_for_unrun() noexcept {
  const auto has_any = [&] {
    const std::lock_guard lock(lock_);
    for (const job* j = running_.front(); j != nullptr; j = j->next) {
      if (j->unrun && !j->is_abandoned_with_us) return true;
    }
    return false;
  };
  while (has_any()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

/// As the process ends, with threads for workers: what has not begun does not, what runs hears that
/// it is to end. True: all is over, in the time that carriers have, too. False: they are let go.
/// Each holds this pool, and none comes back to what is the user's but by the job that it runs.
bool pool_core::ends_in_time() noexcept {
  close();
  {
    const std::lock_guard all(*this);
    if (is_over() && reporter_ == nullptr) return true;
    let_go_ = true;
  }
  cancel_();
  cancel_all(errc::cancelled);
  const bool inside = frame_here() != nullptr;
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
  while (!inside && std::chrono::steady_clock::now() < end) {
    {
      const std::lock_guard all(*this);
      if (is_over() && reporter_ == nullptr) {
        let_go_ = false;
        return true;
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

/// By a worker that has nothing left to do.
void pool_core::stay_if_let_go() noexcept {
  const auto stays = [&] {
    const std::lock_guard lock(lock_);
    return let_go_;
  };
  while (stays()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

/// Are we in its on_stuck? That one the end of the pool would otherwise wait for.
bool pool_core::reporter_here() noexcept {
  const std::lock_guard lock(lock_);
  return reporter_ == &strand_local();
}

/// All that are not joined or detached. The lock is held, or nobody else is left.
std::list<std::thread> pool_core::take_threads() noexcept {
  std::list<std::thread> threads;
  threads.swap(threads_);
  threads.splice(threads.end(), ended_threads_);
  return threads;
}

void pool_core::join() {
  const bool inside = frame_here() != nullptr || reporter_here();
  std::list<std::thread> threads;
  lock_.lock();
  if (inside || all_ended()) {
    threads = take_threads();
    lock_.unlock();
  } else {
    wait_node node;
    (void)wait_in(lock_, joiners_, node, nullptr, {.kind = &join_wait, .object = this});
    const std::lock_guard lock(lock_);
    threads = take_threads();
  }
  for (std::thread& t : threads) {
    if (inside) {
      t.detach();  // this job's own worker is among them; it ends by itself
    } else {
      join_ended(t);
    }
  }
  if (!inside) drop_functions();
}

/// All that is the user's and may end things of his. A worker's task that is all but over, or a
/// timer, may hold this pool for a moment longer than he does. Nobody calls them any more.
void pool_core::drop_functions() noexcept {
  make_state_ = nullptr;
  options_.retry.retry_if = nullptr;
  options_.on_worker_start = nullptr;
  options_.on_worker_stop = nullptr;
  options_.on_uncaught = nullptr;
  options_.on_stuck = nullptr;
  options_.tracer = nullptr;
}

void pool_core::resize(worker_count n) {
  const int count = first_workers(n);
  wake_batch wakes;
  lock();
  target_ = count;
  begin_to_adapt(n);
  const todo rest = settle(wakes);
  unlock();
  after_settling(wakes, rest);
}

void pool_core::pause() {
  const std::lock_guard all(*this);
  paused_ = !never_pauses_;
}

void pool_core::resume(bool for_good) {
  wake_batch wakes;
  lock();
  paused_ = false;
  if (for_good) never_pauses_ = true;
  const todo rest = settle(wakes);
  unlock();
  after_settling(wakes, rest);
}

int pool_core::target() {
  const std::lock_guard lock(lock_);
  return static_cast<int>(target_);
}

pool_stats pool_core::stats_locked() noexcept {
  pool_stats s = stats_;
  s.submitted = submitted_;
  s.done = done();
  s.running = static_cast<std::uint64_t>(running_count_);
  s.depth = static_cast<std::uint64_t>(depth_ + retrying_count_ + waiting_submitters_);
  s.workers = static_cast<std::uint64_t>(workers_);
  s.idle = static_cast<std::uint64_t>(idle_count_);
  if (const job* first = best()) s.oldest = std::chrono::nanoseconds(now() - first->since);
  return s;
}

pool_stats pool_core::stats() {
  const std::lock_guard all(*this);
  return stats_locked();
}

pool_timings pool_core::timings() {
  const std::lock_guard lock(lock_);
  return timings_ ? *timings_ : pool_timings{};
}

pool_report pool_core::report() {
  pool_report r;
  for (std::size_t room = 16;; room *= 2) {
    r.still_running.reserve(room);
    const std::lock_guard all(*this);
    r.stats = stats_locked();
    if (r.stats.running > r.still_running.capacity()) continue;
    for_each_running([&](const job& j) {
      const std::string* const name = j.name();
      r.still_running.push_back({name != nullptr ? *name : std::string("job"),
                                 std::chrono::nanoseconds(now() - j.since)});
    });
    return r;
  }
}

std::size_t pool_core::memory_bound() {
  const std::lock_guard lock(lock_);
  const auto most = static_cast<double>(std::max(target_, most_workers_));
  const double stack = static_cast<double>(
      options_.host == host::threads ? port::thread_stack_size() : where_.stacks.stack_size());
  // (A worker has two: the one that it runs, and perhaps the one before.)
  const double bytes = static_cast<double>(sizeof *this) + most * stack +
                       (2 * most + static_cast<double>(options_.queue)) *
                           static_cast<double>(job_block_memory + extras_memory_);
  return bytes >= 0x1p63 ? std::numeric_limits<std::size_t>::max()
                         : static_cast<std::size_t>(bytes);
}

}  // namespace weir::detail
