// SPDX-License-Identifier: MIT
// What a worker does: takes a job, runs it, hands it in; and what becomes of a job's outcome.
#include <pthread.h>
#include <sched.h>

#include <thread>

#include "pool/pool_core.hpp"
#include "pool/pool_options.hpp"
#include "pool/pool_queue.hpp"
#include "port/demote.hpp"
#include "runtime/carrier.hpp"
#include "runtime/reluctance.hpp"
#include "runtime/runtime_core.hpp"
#include "sync/wait.hpp"
#include "weir/sync.hpp"

namespace weir::detail {
namespace {

constexpr wait_kind job_wait{"wait for a job of pool"};
constexpr int directed_looks = 2;  // under a director: how often others may come first
constexpr std::size_t stack_reserve = std::size_t{64} * 1024;  // what a nested job should find

void pin_thread(const std::vector<int>& cpus, int number) {
  if (cpus.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpus[static_cast<std::size_t>(number - 1) % cpus.size()]), &set);
  if (const int error = pthread_setaffinity_np(pthread_self(), sizeof set, &set); error != 0) {
    throw std::system_error(error, std::generic_category(), "weir::pool: affinity");
  }
}

/// Takes a function back from its context at the end of the scope, however that is left.
struct registration {
  explicit registration(after_func_handle h) : handle(std::move(h)) {}
  ~registration() { (void)handle.stop(); }
  registration(const registration&) = delete;
  registration& operator=(const registration&) = delete;

  after_func_handle handle;
};

}  // namespace

job_frame* pool_core::frame_here() const noexcept {
  for (auto* f = static_cast<job_frame*>(strand_local()); f != nullptr; f = f->below) {
    if (f->pool == this) return f;
  }
  return nullptr;
}

// ---- a worker's life ----------------------------------------------------------------------------

/// One has been counted, in workers_ and starting_; if it can not be had and there is no other, who
/// asked for it hears of it, and its job stays queued for the next attempt.
void pool_core::start_worker(int number) {
  wake_batch wakes;
  try {
    const std::string name = options_.name + " " + std::to_string(number);
    auto body = [self = ref<pool_core>::share(this), number] { self->be_worker(number); };
    if (options_.host == host::threads) {
      join_ended_threads();
      const std::string short_name = name.substr(0, 15);
      std::list<std::thread> one(1);
      one.front() = std::thread(std::move(body));
      pthread_setname_np(one.front().native_handle(), short_name.c_str());
      const std::lock_guard lock(lock_);
      threads_.splice(threads_.end(), one);
      --registering_;
      if (all_ended()) wake_list(joiners_, wakes);  // it was that quick
    } else {
      where_.start(where_.new_task(name, body_ops_of<decltype(body)>, &body));
    }
  } catch (...) {
    bool alone = false;
    {
      const std::lock_guard all(*this);
      --workers_;
      --starting_;
      ++ended_;
      if (options_.host == host::threads) --registering_;
      if (all_ended()) wake_list(joiners_, wakes);
      alone = workers_ == 0;
    }
    if (alone) fail_all(std::current_exception());
  }
  wakes.wake_all();
}

/// Those that a resize() was too many: each holds its stack until it is joined.
void pool_core::join_ended_threads() {
  std::list<std::thread> ended;
  {
    const std::lock_guard lock(lock_);
    ended.swap(ended_threads_);
  }
  for (std::thread& t : ended) {
    if (t.get_id() == std::this_thread::get_id()) {
      t.detach();  // one of its thread-locals submits
    } else {
      t.join();  // they have nothing left to do
    }
  }
}

void pool_core::be_worker(int number) {
  pool_worker me;
  me.number = number;
  std::exception_ptr failure;
  try {
    if (options_.host == host::threads) pin_thread(options_.affinity, number);
    if (make_state_) me.state = make_state_();
  } catch (...) {
    failure = std::current_exception();
  }
  {
    // What is called, or ends, between two jobs may hold the last handle, too.
    job_frame between_jobs{this, nullptr, &me, nullptr};
    const in_frame here(between_jobs);
    work(me, std::move(failure));
  }
  me.state.reset();
  wake_batch wakes;
  {
    const std::lock_guard all(*this);  // so it is not in holders_
    pool_worker** at = &crew_;
    while (*at != &me) at = &(*at)->next;
    *at = me.next;
    done_ += me.done;
    ++ended_;
    const auto is_mine = [](const std::thread& t) {
      return t.get_id() == std::this_thread::get_id();
    };
    const auto mine = std::find_if(threads_.begin(), threads_.end(), is_mine);
    if (mine != threads_.end()) ended_threads_.splice(ended_threads_.end(), threads_, mine);
    if (all_ended()) wake_list(joiners_, wakes);
  }
  wakes.wake_all();
}

/// From the first hook to the last.
void pool_core::work(pool_worker& me, std::exception_ptr failure) {
  try {
    if (!failure && options_.on_worker_start) options_.on_worker_start(me.number);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) fail_all(failure);
  {
    const std::lock_guard lock(lock_);
    me.next = std::exchange(crew_, &me);
  }
  verdict v = verdict::done;
  bool first = true;
  for (job* j = nullptr; (j = next_job(me, j, v, std::exchange(first, false))) != nullptr;) {
    v = run(*j, &me);
  }
  if (options_.host == host::threads) stay_if_let_go();
  try {
    if (!failure && options_.on_worker_stop) options_.on_worker_stop(me.number);
  } catch (...) {  // there may be others, and jobs
    report_uncaught("on_worker_stop", nullptr, std::current_exception());
  }
}

/// Hands in the finished job, if any, and waits for the next; null: this worker is to end, and has
/// been counted out.
job* pool_core::next_job(pool_worker& me, job* finished, verdict v, bool first) {
  interruption_point("next job of a pool");
  // The time for that is now, while the lock is on its way from another processor.
  if (me.spent != nullptr) std::exchange(me.spent, nullptr)->release();
  if (finished != nullptr) {
    carrier* const c = carrier::current();
    if (c != nullptr && c->count_piece()) [[unlikely]] {
      hand_in(*std::exchange(finished, nullptr), &me, v);
      carrier::current()->yield_current();
    } else if (finished->posted && v == verdict::done) {
      if (job* const j = next_of_few(me, finished)) return j;
      if (job* const j = next_at_once(me, finished)) return j;
    }
  }
  return next_of_all(me, finished, v, first);
}

/// The same, with a look at everything that there may be to do.
[[gnu::noinline]] job* pool_core::next_of_all(pool_worker& me, job* finished, verdict v,
                                              bool first) {
  for (time_ns idle_since = never;;) {
    wake_batch wakes;
    hand mine{.worker = &me};
    std::optional<channel<std::monostate>> signal;
    lock_.lock();
    me.lock_travels = lock_.changes_hands();
    end_few(me);
    if (finished != nullptr) settle_finished(*finished, &me, v, wakes, signal);
    job* j = !first && may_pick_at_once() ? pick(&me) : nullptr;
    const bool at_once = j != nullptr;
    bool surplus = false;
    todo rest;
    if (!at_once) {
      close_inbox();
      if (std::exchange(first, false)) --starting_;
      surplus = workers_ > target_;
      if (!surplus) j = pick_of_all(&me);
      if (j == nullptr && closed_ && nothing_queued()) surplus = true;
      if (surplus) --workers_;
      rest = settle(wakes);
    }
    bool recall = false;
    if (j != nullptr) {
      me.has_next = true;
      learn_gap(idle_since);
      recall = may_pick_at_once() && take_few(me, *j);
    }
    if (j != nullptr || surplus || finished != nullptr || rest || !wakes.empty()) {
      if (!at_once) open_inbox();
      lock_.unlock();
      if (recall) recall_later();
      if (signal) signal->close();
      after_settling(wakes, rest);
      if (finished != nullptr) hand_in_end(*std::exchange(finished, nullptr), v);
      if (j != nullptr && !std::exchange(me.has_next, false)) continue;  // put_down()
      if (j != nullptr || surplus) return j;
      continue;  // now there is time to wait
    }
    if (is_next_in_need()) {
      if (idle_since == never) idle_since = where_.clock.now();
      if (may_look_out()) {
        look_out();
        continue;
      }
    }
    wait_node node;
    node.value = &mine;
    ++idle_count_;
    admit_waiting(wakes);  // a free hand is room, and with a queue of 0 the only one
    if (!wakes.empty()) {
      --idle_count_;
      unlock();
      wakes.wake_all();
      continue;
    }
    note_grain();
    open_inbox();
    (void)wait_in(lock_, idle_, node, nullptr, {.kind = &job_wait, .object = this});
    if (mine.given != nullptr) begin_after_wait(idle_since);
    return mine.given;  // null: counted out by settle()
  }
}

/// The next of those that it has in its hand; the finished one was of them.
inline job* pool_core::next_of_few(pool_worker& me, job*& finished) noexcept {
  job* j = me.few.take();
  if (me.few.is_disputed()) [[unlikely]] {
    const std::lock_guard lock(lock_);
    j = me.few.settle();
  }
  if (j == nullptr) return nullptr;
  me.spent = std::exchange(finished, nullptr);
  me.lock_travels = false;
  return j;
}

/// Under the lock: the queue runs low, and tasks wait for this carrier, one of which may be who
/// fills it. Once, that is: now they get their turn, before all have nothing to do. (Only beside
/// handfuls: where each job is taken from the queue, 1 us jobs lose 3 % by it.)
inline bool pool_core::lets_others(pool_worker& me) const noexcept {
  if (!may_take_few_) return false;
  const carrier* const c = carrier::current();
  if (depth_ > low_) {
    me.has_let_others = false;
  } else if (!me.has_let_others && c != nullptr && c->lane.count() > 0 &&
             !where_.clock.is_virtual()) {
    return me.has_let_others = true;
  }
  return false;
}

/// How most of it goes, where nobody waits for the finished job: it is handed in, and the next
/// taken. Null if there is none at once; it is handed in all the same (and null), or nothing has
/// been done.
inline job* pool_core::next_at_once(pool_worker& me, job*& finished) {
  if (depth_ == 0) return nullptr;  // most likely
  lock_.lock();
  if (!may_pick_at_once()) {
    lock_.unlock();
    return nullptr;
  }
  end_few(me);
  retire(*finished, &me, verdict::done);
  const bool others_first = lets_others(me);
  job* const j = others_first ? nullptr : pick(&me);
  const bool recall = j != nullptr && take_few(me, *j);
  me.has_next = j != nullptr;
  me.lock_travels = lock_.changes_hands();
  lock_.unlock();
  if (recall) [[unlikely]]
    recall_later();
  finished->end();
  if (j != nullptr && finished->is_small && finished->extras == nullptr) {
    me.spent = std::exchange(finished, nullptr);
  } else {
    std::exchange(finished, nullptr)->release();
  }
  if (others_first) carrier::current()->yield_current();
  return std::exchange(me.has_next, false) ? j : nullptr;  // put_down()
}

/// Under the lock: the next job is for this worker, which is idle; nobody else is on the way.
bool pool_core::is_next_in_need() const noexcept {
  // What is queued, and was not picked, may not start yet: to look out for that would not end.
  return waking_ == 0 && depth_ == 0 && !closed_ && !paused_ &&
         (where_.directed_by != nullptr || !where_.clock.is_virtual());
}

/// Under the lock: a job has come, `since` it was awaited; never: it was not.
void pool_core::learn_gap(time_ns since) noexcept {
  if (since != never) gaps_.learn(where_.clock.now() - since);
}

/// Under the lock, if is_next_in_need(): no task waits for this carrier, and it pays.
bool pool_core::may_look_out() noexcept {
  const carrier* const c = carrier::current();
  const bool has_time =
      c == nullptr || where_.directed_by != nullptr || (c->lane.count() == 0 && !c->has_mail());
  return has_time && to_look_out_.gives_way();
}

/// Looks out for a job, for a moment. `lock_` is held, and then not. While it lasts this worker is
/// one that is on its way (P1).
void pool_core::look_out() noexcept {
  ++waking_;
  time_ns longest = gaps_.lookout();
  open_inbox(true);
  lock_.unlock();
  const carrier* const c = carrier::current();
  bool comes = false;
  const auto is_enough = [&] {
    comes = inbox_.has_any() || depth_ > 0;
    return comes || closed_;
  };
  if (where_.directed_by != nullptr) {
    for (int i = 0; i < directed_looks && !is_enough(); ++i) {
      interruption_point("look out for a job");
    }
  } else {
    if (c != nullptr) longest = std::min(longest, where_.timers->next_due() - where_.clock.now());
    spin_until(where_.clock, longest, [&] {
      return is_enough() || (c != nullptr && (c->lane.count() > 0 || c->has_mail()));
    });
  }
  const std::lock_guard all(*this);
  --waking_;
  to_look_out_.learn(comes);
}

/// Awake, with a job: if there are more, the next worker is woken. (P1)
void pool_core::begin_after_wait(time_ns idle_since) {
  wake_batch wakes;
  lock();
  --waking_;
  learn_gap(idle_since);
  const todo rest = settle(wakes);
  unlock();
  after_settling(wakes, rest);
}

// ---- a job's ------------------------------------------------------------------------------------

/// Runs j, which has been started, outside of a worker's loop: in a job below it, or in who
/// submits.
void pool_core::run_here(job& j, job_frame* own) {
  const auto keep = ref<pool_core>::share(this);  // the job may end this pool
  pool_worker* const worker = own != nullptr ? own->worker : nullptr;
  if (stack_left() >= stack_reserve) {
    run_and_hand_in(j, worker);
    return;
  }
  // Each level of recursion is a level of this stack: go on on a new one.
  std::optional<wait_group> done;
  auto* const frames = static_cast<job_frame*>(strand_local());
  try {
    done.emplace().go([&] {
      strand_local() = frames;
      run_and_hand_in(j, worker);
      strand_local() = nullptr;
    });
  } catch (...) {
    run_and_hand_in(j, worker);  // no new stack can be had: on what is left of this one
    return;
  }
  done->wait();
}

void pool_core::run_and_hand_in(job& j, pool_worker* worker) {
  pool_worker visitor;
  verdict v = verdict::failed;
  try {
    if (worker == nullptr) {
      if (make_state_) visitor.state = make_state_();
      worker = &visitor;
    }
    v = run(j, worker);
  } catch (...) {  // there is no State for it
    job_frame frame{this, &j, worker, nullptr};
    const in_frame here(frame);
    v = judge(j, std::current_exception(), ctx_);
    trace_ended(j, visitor, 0, v);
    after_trouble(j, v);
  }
  hand_in(j, nullptr, v);
}

/// Without a look at what is next.
void pool_core::hand_in(job& j, pool_worker* by, verdict v) {
  wake_batch wakes;
  std::optional<channel<std::monostate>> signal;
  lock_queue();
  if (by != nullptr) end_few(*by);
  settle_finished(j, by, v, wakes, signal);
  const todo rest = settle(wakes);
  unlock();
  if (signal) signal->close();
  after_settling(wakes, rest);
  hand_in_end(j, v);
}

/// Under the lock: it is counted, and published.
void pool_core::settle_finished(job& j, pool_worker* by, verdict v, wake_batch& wakes,
                                std::optional<channel<std::monostate>>& signal) noexcept {
  retire(j, by, v);
  if (v == verdict::again) j.retain();  // for try_later(): whoever stops the pool takes the other
  if (awaited_job* const a = j.awaited(); a != nullptr && v != verdict::again) {
    a->publish(std::exchange(j.last_error, nullptr), wakes, signal);
  }
}

/// After the lock: the queue's reference ends, or another attempt is prepared.
void pool_core::hand_in_end(job& j, verdict v) {
  if (v == verdict::again) {
    try_later(j);
    return;
  }
  j.end();
  j.release();
}

verdict pool_core::run(job& j, pool_worker* worker) {
  job_frame frame{this, &j, worker, nullptr};
  const in_frame here(frame);
  if (worker->lock_travels) port::demote(&lock_);
  const bool is_plain = plain_runs_ && j.extras == nullptr && !ctx_.cancelled();
  const verdict v = is_plain ? run_plainly(j, *worker) : run_with_all(j, frame);
  if (!worker->few.has_more()) fetch_to_write(&lock_);  // to hand it in
  // In this frame: what the function holds may be the last handle of this pool.
  if (v == verdict::done) {
    j.drop_function();
  } else {
    after_trouble(j, v);
  }
  return v;
}

/// In the job's frame still, for what is ended here may wait for this pool.
[[gnu::noinline]] void pool_core::after_trouble(job& j, verdict v) {
  if (v != verdict::again) j.drop_function();
  // What is queued is ended in a task of its own (on_done_): what that holds may wait for this job,
  // which is over for others only when it has been handed in.
  if (v == verdict::failed && options_.on_error == on_error::fail_fast) cancel_(j.last_error);
}

/// As most jobs: there is nothing to wait for first, and no end but the pool's.
inline verdict pool_core::run_plainly(job& j, pool_worker& worker) {
  std::exception_ptr error = j.attempt(ctx_, worker.state.get());
  return error == nullptr ? verdict::done : judge(j, std::move(error), ctx_);
}

verdict pool_core::run_with_all(job& j, job_frame& frame) {
  const std::int64_t since = trace_started(j, *frame.worker);
  verdict v = verdict::failed;
  try {
    v = run_attempt(j, frame);
  } catch (...) {  // no memory for its context: the job's failure, as if it had thrown that
    v = judge(j, std::current_exception(), ctx_);
  }
  trace_ended(j, *frame.worker, since, v);
  return v;
}

verdict pool_core::run_attempt(job& j, job_frame& frame) {
  const job_extras* const extras = j.extras.get();
  const context* const given = extras != nullptr && extras->ctx ? &*extras->ctx : nullptr;
  if (ctx_.cancelled()) return judge_unstarted(j, ctx_);
  if (given != nullptr && given->cancelled()) return judge_unstarted(j, *given);
  const auto timeout =
      extras != nullptr && extras->timeout.count() > 0 ? extras->timeout : options_.timeout;
  if (timeout.count() == 0 && (given == nullptr || (!j.wants_context && !options_.rate))) {
    if (!options_.rate.acquire(ctx_)) return judge_unstarted(j, ctx_);
    return judge(j, j.attempt(ctx_, frame.worker->state.get()), given != nullptr ? *given : ctx_);
  }
  const context& parent = given != nullptr ? *given : ctx_;
  const auto own = with_cancel(parent);
  // A context has one parent: what stop() does to ours, it does to this one by hand.
  const registration stopped(given == nullptr
                                 ? after_func_handle()
                                 : after_func(ctx_, [cancel = own.cancel] { cancel(); }));
  if (!options_.rate.acquire(own.ctx)) return judge_unstarted(j, own.ctx);
  const auto timed = timeout.count() > 0 ? with_timeout(own.ctx, timeout) : own;
  const auto error = j.attempt(timed.ctx, frame.worker->state.get());
  return judge(j, error, timed.ctx);
}

/// A job that was not run, for `why` was done before.
verdict pool_core::judge_unstarted(job& j, const context& why) {
  j.last_error = &why == &ctx_ ? unrun_error(why.error()) : job_error(why.error());
  return verdict::cancelled;
}

}  // namespace weir::detail
