// SPDX-License-Identifier: MIT
// The queue: who gets in, what is next, and what follows from a change. The workers are in
// workers.cpp, how a pool ends in pool_life.cpp.
#include "pool/pool_core.hpp"

#include <algorithm>

#include "runtime/carrier.hpp"
#include "runtime/process.hpp"
#include "sync/wait.hpp"

namespace weir::detail {
namespace {

constexpr wait_kind room_wait{"submit to pool", "queued"};
constexpr int passed_over_max = 16;

[[noreturn]] void throw_refused(std::error_code why) {
  throw std::system_error(why, "weir: pool::submit");
}

/// Is there room for `more` beside `used`, where 0 in `all` is no bound?
bool fits(const cost& used, const cost& more, const cost& all) noexcept {
  const auto one = [](std::int64_t u, std::int64_t m, std::int64_t a) {
    return a == 0 || m == 0 || m <= a - u;
  };
  return one(used.memory, more.memory, all.memory) && one(used.units, more.units, all.units);
}

}  // namespace

// ---- the queue; the lock is held ----------------------------------------------------------------

/// Tells the scheduler how much was done, by one that is about to wait: fine work stays together.
void pool_core::note_grain() noexcept {
  const std::uint32_t done = std::exchange(operations_, 0);
  if (carrier* c = carrier::current()) c->grain.count_operations(done);
}

/// Is there nothing but the pause in its way? The brake lets one run, so that the pool gets on.
bool pool_core::may_start(const job& j) const noexcept {
  return fits(running_cost_, j.cost, options_.budget) &&
         (!held_ || static_cast<std::int64_t>(stats_.running) <= inside_);
}

bool pool_core::has_room(const job& j) const noexcept {
  if (waiting_submitters_ > 0) return false;
  if (!fits(queued_cost_, j.cost, options_.queue_cost)) return false;
  // A hand that is free, or about to be, takes a job out of the queue at once.
  const bool hands_may_start = !paused_ && depth_ <= starting_ && may_start(j);
  const std::int64_t hands =
      hands_may_start ? idle_count_ + starting_ + std::max<std::int64_t>(target_ - workers_, 0) : 0;
  return depth_ + retrying_count_ < options_.queue + hands;
}

void pool_core::enqueue(job& j) noexcept {
  j.state = job_state::queued;
  j.since = now();
  queued_[static_cast<std::size_t>(j.priority)].push_back(j);
  ++depth_;
  add(queued_cost_, j.cost);
}

void pool_core::unqueue(job& j) noexcept {
  queued_[static_cast<std::size_t>(j.priority)].remove(j);
  --depth_;
  subtract(queued_cost_, j.cost);
}

/// The next job in line: the highest priority's first, unless another's has been passed over for
/// too long.
job* pool_core::best() noexcept {
  job* found = nullptr;
  for (std::size_t p = 0; p < queued_.size(); ++p) {
    if (queued_[p].empty()) continue;
    if (found == nullptr || passed_over_[p] >= passed_over_max) found = queued_[p].front();
  }
  return found;
}

/// Takes the next job out of the queue, if it may start.
job* pool_core::pick() noexcept {
  if (paused_) return nullptr;
  job* const j = best();
  if (j == nullptr || !may_start(*j)) return nullptr;
  const auto chosen = static_cast<std::size_t>(j->priority);
  for (std::size_t p = 0; p < queued_.size(); ++p) {
    if (p == chosen || queued_[p].empty()) {
      passed_over_[p] = 0;
    } else {
      ++passed_over_[p];
    }
  }
  unqueue(*j);
  start(*j);
  return j;
}

void pool_core::start(job& j) noexcept {
  const std::int64_t queued_since = j.state == job_state::queued ? j.since : 0;
  j.state = job_state::running;
  j.since = now();
  if (timings_) {
    timings_->waiting.record(
        std::chrono::nanoseconds(queued_since == 0 ? 0 : j.since - queued_since));
  }
  running_.push_back(j);
  ++stats_.running;
  add(running_cost_, j.cost);
}

void pool_core::retire(job& j, verdict v) noexcept {
  running_.remove(j);
  --stats_.running;
  ++operations_;
  if (timings_) timings_->running.record(std::chrono::nanoseconds(now() - j.since));
  subtract(running_cost_, j.cost);
  switch (v) {
    case verdict::done: ++stats_.done; break;
    case verdict::failed: ++stats_.failed; break;
    case verdict::cancelled: ++stats_.cancelled; break;
    case verdict::again:
      ++stats_.retried;
      ++retrying_count_;
      j.state = job_state::retrying;
      retrying_.push_back(j);
      return;
  }
  j.state = job_state::over;
}

bool pool_core::drained() const noexcept {
  return nothing_queued() && waiting_submitters_ == 0 &&
         static_cast<std::int64_t>(stats_.running) == inside_;
}

void pool_core::wake_list(wait_list& list, wake_batch& wakes) noexcept {
  while (wait_node* n = list.claim_front()) wakes.add(*n);
}

/// Wakes who is in wait(): it has ended, or it is to look again.
void pool_core::end_waits(wake_batch& wakes, bool ended) noexcept {
  while (wait_node* n = enders_.claim_front()) {
    n->ok = ended;
    wakes.add(*n);
  }
}

/// P2: whoever waits for room gets it, in order.
void pool_core::admit_waiting(wake_batch& wakes) noexcept {
  while (wait_node* n = submitters_.front()) {
    job& j = *static_cast<job*>(n->value);
    const std::int64_t others = std::exchange(waiting_submitters_, 0);
    const bool room = has_room(j);
    waiting_submitters_ = others;
    if (!room) return;
    submitters_.remove(*n);
    if (!n->op->claim(n->index)) continue;  // gone with its context: it counts itself out
    n->ok = true;
    --waiting_submitters_;
    enqueue(j);
    wakes.add(*n);
  }
}

pool_core::todo pool_core::settle(wake_batch& wakes) noexcept {
  admit_waiting(wakes);
  while (idle_count_ > 0 && depth_ > 0) {
    job* const j = pick();
    if (j == nullptr) break;
    wait_node* const n = idle_.claim_front();
    static_cast<hand*>(n->value)->given = j;
    --idle_count_;
    wakes.add(*n);
    admit_waiting(wakes);
  }
  // Nobody has work for those who are too many, or for anybody once it is closed and empty.
  while (idle_count_ > 0 && (workers_ > target_ || (closed_ && nothing_queued()))) {
    wait_node* const n = idle_.claim_front();
    --idle_count_;
    --workers_;
    wakes.add(*n);
  }
  if (drained()) {
    end_waits(wakes, true);
  } else if (inside_ > 0 && depth_ > 0 && !paused_) {
    end_waits(wakes, false);  // a job that waits for the others runs them
  }
  todo rest;
  const bool watched = options_.stuck_after.count() > 0 || has_brake() || sizing_;
  if (watched && !watching_ && !at_rest()) {
    watching_ = rest.watch = true;
  }
  if (!paused_ && depth_ > starting_ && workers_ < target_ && may_start(*best())) {
    ++workers_;
    ++starting_;
    if (options_.host == host::threads) ++registering_;
    rest.start_worker = ++last_number_;
  }
  return rest;
}

void pool_core::after_settling(wake_batch& wakes, todo rest) {
  wakes.wake_all();
  if (rest.start_worker != 0) start_worker(rest.start_worker);
  if (rest.watch) watch_later();
}

// ---- who gets in --------------------------------------------------------------------------------

void pool_core::check_alive(const job& j, const job_frame* own) {
  const context* over = nullptr;
  if (ctx_.cancelled()) {
    over = &ctx_;
  } else if (j.extras && j.extras->ctx && j.extras->ctx->cancelled()) {
    over = &*j.extras->ctx;
  } else if (!closed_ || own != nullptr) {
    return;
  }
  ++(over != nullptr ? stats_.cancelled : stats_.rejected);
  lock_.unlock();
  throw_refused(over != nullptr ? over->error() : make_error_code(errc::closed));
}

bool pool_core::admit(const ref<job>& given, const context* until, bool may_wait) {
  interruption_point("submit to a pool");
  refuse_if_forked();
  if (!options_.tracer) return take_in(given, until, may_wait);
  trace_submitted(*given);
  try {
    const bool taken = take_in(given, until, may_wait);
    if (!taken) trace_unrun(*given, job_end::rejected);
    return taken;
  } catch (const std::system_error& e) {
    const bool refused = e.code() == errc::closed || e.code() == errc::full;
    trace_unrun(*given, refused ? job_end::rejected : job_end::cancelled);
    throw;
  }
}

bool pool_core::take_in(const ref<job>& given, const context* until, bool may_wait) {
  job& j = *given;
  job_frame* const own = frame_here();
  wake_batch wakes;
  lock_.lock();
  ++stats_.submitted;
  ++operations_;
  check_alive(j, own);
  j.retain();  // the queue's reference
  job_list dropped;
  if (may_wait && options_.when_full == when_full::drop_oldest) dropped = make_room(j);
  if (has_room(j)) {
    enqueue(j);
    const todo rest = settle(wakes);
    // The job may end this pool while we are at it.
    const auto keep = rest || !dropped.empty() ? ref<pool_core>::share(this) : ref<pool_core>();
    lock_.unlock();
    after_settling(wakes, rest);
    give_up(dropped, errc::dropped);
    return true;
  }
  if (dropped.empty()) return admit_when_full(given, until, may_wait, own);
  const auto keep = ref<pool_core>::share(this);
  const bool taken = admit_when_full(given, until, may_wait, own);
  give_up(dropped, errc::dropped);
  return taken;
}

/// Takes the jobs that have waited longest out of the queue until j fits. The lock is held.
job_list pool_core::make_room(const job& j) noexcept {
  job_list dropped;
  while (!has_room(j) && depth_ > 0) {
    job* oldest = nullptr;
    for (const job_list& list : queued_) {
      job* const first = list.front();
      if (first != nullptr && (oldest == nullptr || first->since <= oldest->since)) oldest = first;
    }
    unqueue(*oldest);
    oldest->state = job_state::over;
    ++stats_.dropped;
    dropped.push_back(*oldest);
  }
  return dropped;
}

/// Ends jobs that are in no list of ours any more.
void pool_core::give_up(job_list& jobs, std::error_code why) const noexcept {
  while (job* j = jobs.front()) {
    jobs.remove(*j);
    trace_unrun(*j, why == errc::dropped ? job_end::dropped : job_end::cancelled);
    ref<job>::adopt(j)->give_up(why);
  }
}

/// The lock is held; and so is the queue's reference.
bool pool_core::admit_when_full(const ref<job>& given, const context* until, bool may_wait,
                                job_frame* own) {
  job& j = *given;
  if (!may_wait || options_.when_full == when_full::reject) {
    ++stats_.rejected;
    lock_.unlock();
    j.release();
    if (may_wait) throw_refused(errc::full);
    return false;
  }
  if (options_.when_full == when_full::run_in_caller ||
      (own != nullptr && options_.when_full == when_full::block)) {
    start(j);
    lock_.unlock();
    run_here(j, own);
    return true;
  }
  if (options_.when_full == when_full::block) return wait_for_room(given, until);
  ++stats_.dropped;  // drop_newest, or drop_oldest with nothing left to drop
  lock_.unlock();
  trace_unrun(j, job_end::dropped);
  const ref<job> dropped = ref<job>::adopt(&j);
  dropped->give_up(errc::dropped);
  return true;
}

bool pool_core::wait_for_room(const ref<job>& given, const context* until) {
  wait_node node;
  node.value = given.get();
  ++waiting_submitters_;
  note_grain();
  const auto queued = static_cast<std::size_t>(depth_);
  if (wait_in(lock_, submitters_, node, until,
              {.kind = &room_wait, .object = this, .amount = queued})) {
    if (node.ok) return true;
    given->release();
    if (node.weight == refused_closed) throw_refused(errc::closed);
    throw_refused(ctx_.cancelled() ? ctx_.error() : make_error_code(errc::cancelled));
  }
  given->release();
  wake_batch wakes;
  lock_.lock();
  --waiting_submitters_;
  ++stats_.cancelled;
  // The job behind may cost less; and this may have been the last thing wait() waited for.
  const todo rest = settle(wakes);
  lock_.unlock();
  after_settling(wakes, rest);
  throw_refused(until->error());
}

void pool_core::help(job& j) {
  interruption_point("help in a pool");
  job_frame* const own = frame_here();
  if (own == nullptr) return;
  wake_batch wakes;
  lock_.lock();
  if (j.state != job_state::queued) {
    lock_.unlock();
    return;
  }
  unqueue(j);
  start(j);
  const todo rest = settle(wakes);
  lock_.unlock();
  after_settling(wakes, rest);
  run_here(j, own);
}

void pool_core::cancel_queued(job& j, std::error_code why) {
  interruption_point("cancel in a pool");
  wake_batch wakes;
  lock_.lock();
  if (j.state != job_state::queued) {
    lock_.unlock();
    return;
  }
  unqueue(j);
  j.state = job_state::over;
  ++stats_.cancelled;
  const ref<job> mine = ref<job>::adopt(&j);
  const todo rest = settle(wakes);
  lock_.unlock();
  after_settling(wakes, rest);
  trace_unrun(j, job_end::cancelled);
  mine->give_up(why);
}

}  // namespace weir::detail
