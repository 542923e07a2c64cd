// SPDX-License-Identifier: MIT
#pragma once
// The pool's queue: the small steps of submitters and workers, inlined into both. The lock is held
// in all of them.

#include <time.h>

#include <algorithm>

#include "pool/job_memory.hpp"
#include "pool/pool_core.hpp"
#include "runtime/carrier.hpp"
#include "runtime/runtime_core.hpp"

namespace weir::detail {

inline constexpr int passed_over_max = 16;  // others' jobs that may come before

/// Is there room for `more` beside `used`, where 0 in `all` is no bound?
inline bool fits(const cost& used, const cost& more, const cost& all) noexcept {
  const auto one = [](std::int64_t u, std::int64_t m, std::int64_t a) {
    return a == 0 || m == 0 || (u >= 0 && m <= a - std::min(u, a));
  };
  return one(used.memory, more.memory, all.memory) && one(used.units, more.units, all.units);
}

/// Is there nothing but the pause in its way? The brake lets one run, so that the pool gets on.
inline bool pool_core::may_start(const job& j) const noexcept {
  return (j.is_free || fits(running_cost_, j.cost, options_.budget)) &&
         (!held_ || running_count_ <= inside_);
}

inline bool pool_core::is_affordable(const job& j) const noexcept {
  return j.is_free || fits(queued_cost_, j.cost, options_.queue_cost);
}

inline bool pool_core::has_room(const job& j) const noexcept {
  if (waiting_submitters_ > 0 || !is_affordable(j)) return false;
  // A hand that is free, or about to be, takes a job out of the queue at once. So does a job that
  // waits for all the others.
  const bool hands_may_start = !paused_ && depth_ <= starting_ && may_start(j);
  const std::int64_t hands = hands_may_start ? idle_count_ + starting_ +
                                                   std::max<std::int64_t>(target_ - workers_, 0) +
                                                   (depth_ == 0 && !inner_enders_.empty() ? 1 : 0)
                                             : 0;
  return places_used() < options_.queue + hands;
}

/// P5: nobody comes in by the inbox from here on; what had come in is in the queue.
inline void pool_core::close_inbox() noexcept {
  const std::int64_t come = inbox_.close(
      normal_, {.hands = static_cast<std::size_t>(hands_), .bundles = may_take_few_ && small_});
  depth_ += come;
  submitted_ += static_cast<std::uint64_t>(come);
  operations_ += static_cast<std::uint32_t>(come);
}

/// If P5 lets it, and more jobs are likely to come: to open and close it costs more than the lock.
inline void pool_core::open_inbox(bool for_the_first) noexcept {
  if (depth_ == 0 && !for_the_first) return;
  const bool is_seen = workers_ == target_ && (idle_count_ == 0 || waking_ > 0);
  const bool is_plain = !closed_ && !stopped_ && !paused_ && waiting_submitters_ == 0 &&
                        inside_ == 0 && inner_enders_.empty() && (watching_ || !watched_) &&
                        is_free(options_.queue_cost);
  // The last place is left to whoever sees that idle workers are needed after all (P1).
  const std::int64_t reserved = idle_count_ > 0 ? 1 : 0;
  if (is_seen && is_plain) inbox_.open(options_.queue - places_used() - reserved);
}

/// In nanoseconds. For ages, not for timing, a few milliseconds off will do, for a price of five.
inline std::int64_t pool_core::now() const noexcept {
  if (!coarse_ages_) return where_.clock.now();
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

inline void pool_core::enqueue(job& j) noexcept {
  j.state = job_state::queued;
  j.since = now();
  queue_of(j.priority).push_back(j);
  depth_ += 1;
  if (!j.is_free) add(queued_cost_, j.cost);
}

inline void pool_core::unqueue(job& j) noexcept {
  queue_of(j.priority).remove(j);
  depth_ -= 1;
  if (!j.is_free) subtract(queued_cost_, j.cost);
}

/// The next job in line: the highest priority's first, unless another's has been passed over for
/// too long.
inline job* pool_core::best() noexcept {
  if (all_queued_are_normal()) [[likely]]
    return normal_.front();
  job* found = nullptr;
  const auto all = queues();
  for (std::size_t p = 0; p < all.size(); ++p) {
    if (all[p]->empty()) continue;
    if (found == nullptr || passed_over_[p] >= passed_over_max) found = all[p]->front();
  }
  return found;
}

inline void pool_core::note_passed_over(std::size_t chosen) noexcept {
  const auto all = queues();
  for (std::size_t p = 0; p < all.size(); ++p) {
    if (p == chosen || all[p]->empty()) {
      passed_over_[p] = 0;
    } else {
      ++passed_over_[p];
    }
  }
}

/// Takes the next job out of the queue, if it may start.
inline job* pool_core::pick(pool_worker* by) noexcept {
  if (paused_) return nullptr;
  job* const j = best();
  if (j == nullptr || !may_start(*j)) return nullptr;
  if (all_queued_are_normal()) [[likely]] {
    if (passed_over_[0] + passed_over_[1] + passed_over_[2] != 0) passed_over_ = {};
  } else {
    note_passed_over(static_cast<std::size_t>(j->priority));
  }
  const void* const ahead = j->likely_next != nullptr ? j->likely_next : j->next;
  unqueue(*j);
  start(*j, by);
  fetch_job_block(ahead);  // written by another processor, more often than not
  return j;
}

/// The same, also of what others have in their hands (P6).
inline job* pool_core::pick_of_all(pool_worker* by) noexcept {
  job* const j = pick(by);
  if (j != nullptr || holders_ == nullptr) return j;
  take_back_all();
  return pick(by);
}

inline void pool_core::start(job& j, pool_worker* by) noexcept {
  const std::int64_t at = now();
  if (timings_ && !j.unrun) [[unlikely]] {
    const bool was_queued = j.state == job_state::queued && j.since != 0;
    timings_->waiting.record(std::chrono::nanoseconds(was_queued ? at - j.since : 0));
  }
  j.state = job_state::running;
  j.since = at;
  if (by != nullptr) {
    by->current = &j;
  } else {
    running_.push_back(j);
  }
  ++running_count_;
  if (hands_ != running_count_) hands_ = running_count_;
  if (!j.is_free) add(running_cost_, j.cost);
}

/// It waits for its next attempt no longer; if its timer has not come yet, it finds that out.
inline void pool_core::leave_retrying(job& j) noexcept {
  retrying_.remove(j);
  retrying_count_ -= 1;
}

/// A worker that is to wait between two jobs, for what ended there, has the next one already: that
/// is for others.
inline void pool_core::put_down(const job_frame* own) noexcept {
  const job_frame* between = own;
  while (between != nullptr && (between->pool != this || between->running != nullptr)) {
    between = between->below;
  }
  if (between == nullptr || !std::exchange(between->worker->has_next, false)) return;
  job& j = *std::exchange(between->worker->current, nullptr);
  j.leads = 0;
  --running_count_;
  if (!j.is_free) {
    subtract(running_cost_, j.cost);
    add(queued_cost_, j.cost);
  }
  j.state = job_state::queued;
  queue_of(j.priority).push_front(j);
  depth_ += 1;
}

/// Queued, or between two attempts: it waits no longer. The reference is the caller's.
inline void pool_core::take_out(job& j) noexcept {
  if (j.state == job_state::queued) {
    unqueue(j);
  } else {
    leave_retrying(j);
  }
}

inline void pool_core::retire(job& j, pool_worker* by, verdict v) noexcept {
  if (by != nullptr) {
    by->current = nullptr;
  } else {
    running_.remove(j);
  }
  --running_count_;
  ++operations_;
  if (timings_ && !j.unrun) [[unlikely]]
    timings_->running.record(std::chrono::nanoseconds(now() - j.since));
  if (!j.is_free) subtract(running_cost_, j.cost);
  switch (v) {
    case verdict::done: ++(by != nullptr ? by->done : done_); break;
    case verdict::failed: ++stats_.failed; break;
    case verdict::cancelled: ++stats_.cancelled; break;
    case verdict::again:
      ++stats_.retried;
      retrying_count_ += 1;
      j.state = job_state::retrying;
      retrying_.push_back(j);
      return;
  }
  j.state = job_state::over;
}

/// As this carrier's scheduler sees it. Nobody measures under a director, who is to see this, too.
inline bool pool_core::are_small(const carrier* c) const noexcept {
  // Ordering: relaxed; nothing depends on it.
  return c != nullptr && (c->grain.mean() <= small_job_ns.load(std::memory_order_relaxed) ||
                          where_.directed_by != nullptr);
}

/// After pick(): those that `first` leads leave the queue with it. True: a recall() is wanted.
inline bool pool_core::take_few(pool_worker& me, job& first) noexcept {
  if (!may_take_few_) return false;
  const carrier* const c = carrier::current();
  const bool small = are_small(c);
  if (small_ != small) small_ = small;
  // As many have to be left, or others would soon take them back.
  if (!small || first.leads == 0 || depth_ < 2 * std::int64_t{first.leads}) return false;
  if (!trust_.gives_way()) return false;
  const job_bundle rest(first);
  // Since pick(), which may have woken one that was idle, the next job may have gone to it.
  if (normal_.front() != rest[0]) return false;
  normal_.remove_up_to(*rest[first.leads - 1U], rest[first.leads]);
  depth_ -= first.leads;
  in_handfuls_ += first.leads;
  me.few.fill(first);
  me.few_number = ++handfuls_;
  me.few_since = c->task_switches();
  me.few_where = c;
  if (!me.holds) {
    me.holds = true;
    me.next_holder = std::exchange(holders_, &me);
  }
  return !std::exchange(recalling_, true);
}

/// Of a handful that has been stopped, all that have begun but the last have been done, and what
/// has not begun is the first of the queue.
inline void pool_core::take_back(pool_worker& from) noexcept {
  handful& few = from.few;
  const std::uint32_t begun = few.begun();
  from.done += begun - 1;
  operations_ += begun - 1;
  in_handfuls_ -= few.size() - 1;
  depth_ += few.size() - begun;
  for (std::uint32_t i = few.size(); i > begun; --i) {
    few[i - 1].leads = 0;
    normal_.push_front(few[i - 1]);
  }
  job& current = few[begun - 1];
  current.state = job_state::running;
  current.since = few.since();
  from.current = &current;
}

/// The worker is through with its own, if it had any. (Under a director every step looks as if it
/// had waited.)
inline void pool_core::end_few(pool_worker& me) noexcept {
  if (me.few_where == nullptr) return;
  const carrier* const where = std::exchange(me.few_where, nullptr);
  const carrier* const c = carrier::current();
  if (where == c && me.few_since == c->task_switches()) {
    trust_.has_run();
  } else if (where_.directed_by == nullptr) {
    trust_.has_waited();
  }
  if (me.few.is_open()) {
    me.few.stop();
    take_back(me);
  }
  me.few.clear();
}

template <class F>
void pool_core::for_each_running(F f) const {
  for (const pool_worker* w = crew_; w != nullptr; w = w->next) {
    if (w->current != nullptr) f(*w->current);
  }
  for (job* j = running_.front(); j != nullptr; j = j->next) f(*j);
}

inline std::uint64_t pool_core::done() const noexcept {
  std::uint64_t sum = done_;
  for (const pool_worker* w = crew_; w != nullptr; w = w->next) sum += w->done;
  return sum;
}

inline bool pool_core::drained() const noexcept {
  return nothing_queued() && waiting_submitters_ == 0 && running_count_ == inside_;
}

inline bool pool_core::one_is_enough() const noexcept {
  return waking_ > 0 && places_used() < options_.queue && is_free(options_.queue_cost);
}

/// The worker's short way to a job that is in the queue, if nobody else is concerned. The inbox may
/// stay as it is: a job less in the queue changes nothing that P5 says.
inline bool pool_core::may_pick_at_once() const noexcept {
  const bool is_next = all_queued_are_normal() && depth_ > 0;
  return is_next && !closed_ && workers_ == target_ && concerns_nobody();
}

/// How most changes end: there is nobody that they concern.
inline bool pool_core::concerns_nobody() const noexcept {
  const bool idle_stay = idle_count_ == 0 || (one_is_enough() && !closed_ && workers_ == target_);
  return idle_stay && submitters_.empty() && enders_.empty() && inner_enders_.empty() &&
         workers_ >= target_ && (watching_ || !watched_);
}

}  // namespace weir::detail
