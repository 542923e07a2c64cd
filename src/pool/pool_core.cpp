// SPDX-License-Identifier: MIT
// The queue: who gets in, what is next, and what follows from a change. The workers are in
// workers.cpp, how a pool ends in pool_life.cpp.
#include "pool/pool_core.hpp"

#include <algorithm>

#include "pool/pool_queue.hpp"
#include "port/futex.hpp"
#include "runtime/carrier.hpp"
#include "runtime/process.hpp"
#include "runtime/runtime_core.hpp"
#include "sync/wait.hpp"

namespace weir::detail {
namespace {

constexpr time_ns hold_on_ns = 20'000;
constexpr time_ns hold_on_looks_ns = 1'000;
constexpr std::int64_t hold_on_queue = 64;  // for less there is not much to gain
constexpr wait_kind room_wait{"submit to pool", "queued"};

constexpr const char* in_submit = "weir: pool::submit";

[[noreturn]] void throw_refused(std::error_code why) { throw std::system_error(why, in_submit); }

}  // namespace

/// `where`, and what ended the pool if that was an exception of the user's, as a State's that could
/// not be made.
std::string pool_core::with_cause(const char* where) const {
  std::string text = where;
  try {
    if (const std::exception_ptr cause = ctx_.cause()) std::rethrow_exception(cause);
  } catch (const std::system_error& e) {
    if (e.code().category() != category()) text += std::string(" (the pool: ") + e.what() + ")";
  } catch (const std::exception& e) {
    text += std::string(" (the pool: ") + e.what() + ")";
  } catch (...) {  // NOLINT: it says nothing
  }
  return text;
}

/// Of who comes after its end.
void pool_core::throw_ended() const {
  if (lost_) throw std::system_error(errc::closed, std::string(in_submit) + ": its runtime ended");
  throw std::system_error(ctx_.cancelled() ? ctx_.error() : make_error_code(errc::cancelled),
                          with_cause(in_submit));
}

// ---- the queue; the lock is held ----------------------------------------------------------------

/// Tells the scheduler how much was done, by one that is about to wait: fine work stays together.
void pool_core::note_grain() noexcept {
  const std::uint32_t done = std::exchange(operations_, 0);
  if (carrier* c = carrier::current()) c->grain.count_operations(done);
}

void pool_core::wake_list(wait_list& list, wake_batch& wakes) noexcept {
  while (wait_node* n = list.claim_front()) wakes.add(*n);
}

/// Wakes who is in wait(): it has ended, or it is to look again.
void pool_core::end_waits(wait_list& list, wake_batch& wakes, bool ended) noexcept {
  while (wait_node* n = list.claim_front()) {
    n->ok = ended;
    wakes.add(*n);
  }
}

/// If drained(): for who is in wait() in a job that is the end; for others only if no job runs.
void pool_core::end_all_waits(wake_batch& wakes) noexcept {
  end_waits(inner_enders_, wakes, true);
  if (is_over()) end_waits(enders_, wakes, true);
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

pool_core::todo pool_core::settle_all(wake_batch& wakes) noexcept {
  admit_waiting(wakes);
  while (idle_count_ > 0 && depth_ > 0 && !lost_) {  // (or they never come back)
    if (one_is_enough()) break;
    auto& to = *static_cast<hand*>(idle_.front()->value);
    to.given = pick(to.worker);
    if (to.given == nullptr) break;
    ++waking_;
    wait_node* const n = idle_.claim_front();
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
    end_all_waits(wakes);
  } else if (depth_ > 0 && !paused_) {
    end_waits(inner_enders_, wakes, false);  // a job that waits for the others runs them
  }
  todo rest;
  if (watched_ && !watching_ && !watch_is_refused_ && !lost_ && !at_rest()) {
    watching_ = rest.watch = true;
  }
  if (!paused_ && !stopped_ && depth_ > starting_ && workers_ < target_ && may_start(*best())) {
    ++workers_;
    ++starting_;
    if (options_.host == host::threads) ++registering_;
    rest.start_worker = ++last_number_;
  }
  return rest;
}

void pool_core::do_rest(todo rest) {
  if (rest.start_worker != 0) start_worker(rest.start_worker);
  if (rest.watch) watch_later();
}

// ---- who gets in --------------------------------------------------------------------------------

void pool_core::check_alive(const job& j, const job_frame* own) {
  const bool is_over = ctx_.cancelled() || stopped_;  // (stop() first takes what is queued)
  const context* const its = j.own_context();
  const bool is_late = its != nullptr && its->cancelled();
  if (!is_over && !is_late && (!closed_ || (own != nullptr && own->running != nullptr))) return;
  ++(is_over || is_late ? stats_.cancelled : stats_.rejected);
  unlock();
  if (is_over) throw_ended();
  throw_refused(is_late ? its->error() : make_error_code(errc::closed));
}

bool pool_core::admit(ref<job>& given, const context* until, bool may_wait) {
  interruption_point("submit to a pool");
  refuse_if_forked();
  if (!options_.tracer && come_in(given)) return true;
  if (given->own_context() != nullptr) return admit_watched(given, until, may_wait);
  return let_in(given, until, may_wait);
}

/// While it is queued, or waits for its next attempt, nobody looks at its context: that tells us.
bool pool_core::admit_watched(ref<job>& given, const context* until, bool may_wait) {
  const ref<job> mine = given;
  const auto keep = ref<pool_core>::share(this);  // the job may end this pool
  const context& own = *mine->own_context();
  if (!own.cancelled()) {
    mine->extras->watch = after_func(own, [link = link_, mine] {
      if (const ref<pool_core> core = link->core()) {
        core->cancel_queued(*mine, mine->own_context()->error());
      }
    });
  }
  try {
    if (let_in(given, until, may_wait)) {
      if (own.cancelled()) cancel_queued(*mine, own.error());  // it was told before it was queued
      return true;
    }
  } catch (...) {
    turn_away(*mine);
    throw;
  }
  turn_away(*mine);
  return false;
}

/// It was not taken. Its context, which may be about to tell us, holds no more than its memory.
void pool_core::turn_away(job& j) noexcept {
  j.forget();
  j.drop_function();
}

bool pool_core::let_in(ref<job>& given, const context* until, bool may_wait) {
  if (!options_.tracer) return take_in(given, until, may_wait);
  const auto keep = ref<pool_core>::share(this);  // who waits for room may outlast it
  trace_submitted(*given);
  try {
    const bool taken = take_in(given, until, may_wait);
    if (!taken) trace_unrun(*given, job_end::rejected);
    return taken;
  } catch (const std::system_error& e) {
    const bool refused = e.code() == errc::closed || e.code() == errc::full;
    trace_unrun(*given, refused ? job_end::rejected : job_end::cancelled);
    throw;
  } catch (...) {
    trace_unrun(*given, job_end::cancelled);
    throw;
  }
}

/// The short way, without the lock, for a job like most.
bool pool_core::come_in(ref<job>& given) noexcept {
  if (!inbox_.is_open()) return false;
  job& j = *given;
  if (j.extras || j.priority != priority::normal || !j.is_free) return false;
  if (ctx_.cancelled()) return false;
  j.state = job_state::queued;
  j.since = now();
  if (inbox_.push(j)) {
    (void)given.detach();
    return true;
  }
  j.state = job_state::fresh;
  return false;
}

/// Nobody waits in line already, who would get the places. The lock is held.
bool pool_core::may_hold_on(const context* until) const noexcept {
  return options_.when_full == when_full::block && options_.queue >= hold_on_queue &&
         places_used() >= options_.queue && waiting_submitters_ == 0 && !paused_ && !closed_ &&
         !where_.clock.is_virtual() && !ctx_.cancelled() &&
         (until == nullptr || !until->cancelled());
}

/// Whoever can wait, before it does. The lock is held, and again.
void pool_core::give_time(const context* until) {
  if (!may_hold_on(until)) return;
  if (carrier::current() == nullptr) {
    hold_on(until);
  } else if (holders_ != nullptr && may_step_back()) {
    // To have handfuls back, just to see how much room there is, takes 50 us where a hypervisor
    // has to do with it. After the turn of a worker that waits for this carrier there is some.
    unlock();
    carrier::current()->yield_current();
    lock_queue();
  }
}

/// A task of ours that others wait behind. (In a job of another pool it would look as if the jobs
/// there waited, which is what handfuls are not for.)
bool pool_core::may_step_back() const noexcept {
  const carrier* const c = carrier::current();
  return &c->rt == &where_ && c->lane.count() > 0 && carrier::current_task() != nullptr &&
         strand_local() == nullptr;
}

/// Gives the workers a moment to make room for many jobs, not only for one: to be woken for each
/// costs all of them microseconds. The lock is held, and again. (It does not count as submitted
/// yet, and never gets in ahead of anybody who waits.) Where that takes long it sleeps, which
/// nothing ends early but a deadline; else it looks on, but seldom: each look takes the lock's
/// cache line from the workers, and so would coming back for each place.
void pool_core::hold_on(const context* until) noexcept {
  const std::int64_t wanted = options_.queue / 4;
  const std::int64_t full = places_used();
  const time_ns since = where_.clock.now();
  room_.is_full(since, submitted_);
  const time_ns nap = room_.nap_for(wanted);
  if (nap == 0 && !to_hold_on_.gives_way()) return;
  unlock();
  if (nap > 0) {
    const auto deadline = until != nullptr ? until->deadline() : std::nullopt;
    const time_ns end = deadline ? deadline->time_since_epoch().count() : never;
    const std::atomic<std::uint32_t> nobody_wakes{0};
    port::futex_wait_exactly(nobody_wakes, 0, std::min(since + nap, end));
  } else {
    look_until(where_.clock, hold_on_ns, hold_on_looks_ns,
               [&] { return places_used() <= full - wanted; });
  }
  lock_queue();
  const std::int64_t freed = full - places_used();
  room_.became_free(where_.clock.now() - since, freed);
  if (nap == 0) to_hold_on_.learn(freed >= options_.queue / 16);
}

bool pool_core::take_in(ref<job>& given, const context* until, bool may_wait) {
  job& j = *given;
  job_frame* const own = frame_here();
  wake_batch wakes;
  ref<pool_core> keep;  // once the lock has been dropped: it may be stopped, or j may end it
  lock_queue();
  if (!has_room(j)) {
    keep = ref<pool_core>::share(this);
    if (may_wait && own == nullptr) give_time(until);
    if (!has_room(j)) take_back_all();  // P7
  }
  ++submitted_;
  ++operations_;
  watch_is_refused_ = false;
  check_alive(j, own);
  job_list dropped;
  if (may_wait && options_.when_full == when_full::drop_oldest) dropped = make_room(j);
  if (has_room(j) || (!dropped.empty() && is_affordable(j))) {
    enqueue(*given.detach());
    const todo rest = settle(wakes);
    if (rest || !dropped.empty()) keep = ref<pool_core>::share(this);
    unlock();
    wakes.wake_all();
    if (rest) do_rest(rest);
    give_up(dropped, errc::dropped);
    return true;
  }
  const bool taken = admit_when_full(given, until, may_wait, own);  // there was no room: we keep it
  give_up(dropped, errc::dropped);
  return taken;
}

/// Takes the jobs that have waited longest out of the queue until j fits: one for its place, even
/// if there are more than places (those that wait for another attempt keep theirs), and as many as
/// its cost needs. The lock is held.
job_list pool_core::make_room(const job& j) noexcept {
  job_list dropped;
  while (depth_ > 0 && !has_room(j) && (dropped.empty() || !is_affordable(j))) {
    job* oldest = nullptr;
    for (const job_list* list : queues()) {
      job* const first = list->front();
      if (first != nullptr && (oldest == nullptr || first->since <= oldest->since)) oldest = first;
    }
    unqueue(*oldest);
    oldest->state = job_state::over;
    ++stats_.dropped;
    dropped.push_back(*oldest);
  }
  return dropped;
}

std::exception_ptr pool_core::unrun_error(std::error_code why) const noexcept try {
  return job_error(why, with_cause("weir: job").c_str());
} catch (const std::bad_alloc&) {
  return job_error(why);
}

/// Ends jobs that are in no list of ours any more.
void pool_core::give_up(job_list& jobs, std::error_code why) const noexcept {
  if (jobs.empty()) return;
  const std::exception_ptr error = job_error(why);
  while (job* j = jobs.front()) {
    jobs.remove(*j);
    trace_unrun(*j, why == errc::dropped ? job_end::dropped : job_end::cancelled);
    ref<job>::adopt(j)->give_up(error);
  }
}

/// The lock is held.
bool pool_core::admit_when_full(ref<job>& given, const context* until, bool may_wait,
                                job_frame* own) {
  job& j = *given;
  if (!may_wait || options_.when_full == when_full::reject) {
    ++stats_.rejected;
    unlock();
    if (may_wait) throw_refused(errc::full);
    return false;
  }
  if (options_.when_full == when_full::run_in_caller ||
      (own != nullptr && options_.when_full == when_full::block)) {
    wake_batch wakes;
    put_down(own);
    start(*given.detach(), nullptr);
    const todo rest = settle(wakes);
    unlock();
    after_settling(wakes, rest);
    run_here(j, own);
    return true;
  }
  if (options_.when_full == when_full::block) return wait_for_room(given, until);
  ++stats_.dropped;  // drop_newest, or drop_oldest with nothing left to drop
  unlock();
  trace_unrun(j, job_end::dropped);
  j.give_up(job_error(errc::dropped));
  return true;
}

bool pool_core::wait_for_room(ref<job>& given, const context* until) {
  const auto keep = ref<pool_core>::share(this);  // once it is stopped, it may end
  wait_node node;
  node.value = given.get();
  ++waiting_submitters_;
  note_grain();
  const auto queued = static_cast<std::size_t>(depth_);
  open_inbox();
  if (wait_in(lock_, submitters_, node, until,
              {.kind = &room_wait, .object = this, .amount = queued})) {
    if (node.ok) {
      (void)given.detach();  // it may have run already
      return true;
    }
    if (node.weight == refused_closed) throw_refused(errc::closed);
    throw_ended();
  }
  wake_batch wakes;
  lock();
  --waiting_submitters_;
  ++stats_.cancelled;
  // The job behind may cost less; and this may have been the last thing wait() waited for.
  const todo rest = settle(wakes);
  unlock();
  after_settling(wakes, rest);
  throw_refused(until->error());
}

bool pool_core::help(job& j) {
  interruption_point("help in a pool");
  job_frame* const own = frame_here();
  if (own == nullptr) return false;
  wake_batch wakes;
  lock();
  put_down(own);
  if (j.state != job_state::queued) {
    const todo rest = settle(wakes);
    unlock();
    after_settling(wakes, rest);
    return true;
  }
  unqueue(j);
  start(j, nullptr);
  const todo rest = settle(wakes);
  unlock();
  after_settling(wakes, rest);
  run_here(j, own);
  return true;
}

void pool_core::cancel_queued(job& j, std::error_code why) {
  interruption_point("cancel in a pool");
  std::exception_ptr error = job_error(why);  // not under the lock
  lock();
  if (j.state == job_state::queued || j.state == job_state::retrying) {
    end_unrun(j, std::move(error));
  } else {
    unlock();
  }
}

/// One that is queued, or waits for its next attempt; false if there is none.
bool pool_core::cancel_next(const std::exception_ptr& error) {
  lock();
  for (const job_list* const list : {&special_[0], &normal_, &special_[1], &retrying_}) {
    if (job* const j = list->front()) {
      end_unrun(*j, error);
      return true;
    }
  }
  unlock();
  return false;
}

/// Ends it instead of running it, as if it ran: whoever waits for all jobs waits until what it
/// holds has ended, too. The lock is held, and then not.
void pool_core::end_unrun(job& j, std::exception_ptr error) {
  wake_batch wakes;
  take_out(j);
  j.unrun = true;
  const carrier* const c = carrier::current();
  j.is_abandoned_with_us = c != nullptr && &c->rt == &where_;
  start(j, nullptr);
  const todo rest = settle(wakes);
  unlock();
  after_settling(wakes, rest);
  {
    job_frame frame{this, &j, nullptr, nullptr};
    const in_frame here(frame);
    trace_unrun(j, job_end::cancelled);
    j.drop_function();
  }
  j.last_error = std::move(error);
  hand_in(j, nullptr, verdict::cancelled);
}

}  // namespace weir::detail
