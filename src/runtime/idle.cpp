// SPDX-License-Identifier: MIT
// What a carrier does when it has nothing to do. Part of runtime_core; see there.
//
// No wake-up is lost: whoever makes work (mail, a timer, a surplus, a stop) writes it first and
// looks for a sleeper then; a carrier announces that it sleeps first (asleep_, spare_, watcher_)
// and looks for work then. Both sides in sequentially consistent order, or for mail under its lock,
// so one of them sees the other:
//   maker:    write work        | look at asleep_/spare_
//   sleeper:  set asleep_/spare_| look for work

#include <algorithm>
#include <new>

#include "port/relax.hpp"
#include "port/thread_time.hpp"
#include "runtime/deadlock.hpp"
#include "runtime/monitor.hpp"
#include "runtime/runtime_core.hpp"

namespace weir::detail {
namespace {

constexpr int spin_rounds = 200;              // some microseconds
constexpr time_ns lookout_ns = 50'000;        // what a wake-up takes on a busy machine
constexpr time_ns watch_first_ns = 200'000;   // how often the watcher looks, at first
constexpr std::uint32_t watch_round_max = 5;  // and doubling up to 6.4 ms

bool is_true(const std::atomic<bool>* flag) noexcept {
  // Ordering: seq_cst; see the top of this file: after asleep_ was written, by one that may sleep.
  return flag != nullptr && flag->load(std::memory_order_seq_cst);
}

}  // namespace

void runtime_core::idle(carrier& c, const std::atomic<bool>* until) {
  if (directed_by != nullptr) {
    if (c.has_mail() || is_true(until)) return;
    if (!let_time_pass()) directed_by->nothing_left();
    return;
  }
  c.rests += 1;
  judge_gifts(c);
  // Ordering: seq_cst; see the top of this file.
  c.idle.store(true, std::memory_order_seq_cst);
  count_spare(+1);
  wait_for_work(c, until);
  if (c.gift_from != carrier::nobody) c.gift_since = clock.now();
  // Ordering: seq_cst; if somebody has claimed this carrier, they have counted it already.
  if (c.idle.exchange(false, std::memory_order_seq_cst)) count_spare(-1);
  resign_as_watcher(c);  // after that: its successor is looked for among the idle
}

bool runtime_core::has_reason_to_leave(carrier& c, const std::atomic<bool>* until) const noexcept {
  // Ordering: seq_cst; see the top of this file. Not idle any more: somebody has claimed it, and
  // sends mail, or has sent it, and it was raided since.
  return c.has_mail() || is_true(&stop_) || is_true(until) ||
         !c.idle.load(std::memory_order_seq_cst);
}

/// Whoever is active may be about to send something here, or has just begun with what takes long,
/// and tasks wait behind it: looks out for that, a moment, or where it pays as long as it takes to
/// be woken. True: there may be something to do.
bool runtime_core::look_out(carrier& c, const std::atomic<bool>* until) {
  const bool may_raid = !clock.is_virtual() && c.raids.is_worth_a_try(clock);
  if (!others_active(c)) return false;
  const bool for_long = !clock.is_virtual() && others_get_on(c) && c.lookouts.gives_way();
  const time_ns end = clock.now() + (for_long ? lookout_ns : 0);
  bool paid = false;
  do {
    if (may_raid) look_at_others(c);
    for (int i = 0; i < spin_rounds && !paid && others_active(c); ++i) {
      port::relax();
      paid = has_reason_to_leave(c, until);
    }
    if (!paid && may_raid && others_active(c) && raid_who_computes(c)) {
      c.raids.begin(clock);
      paid = true;
    }
  } while (!paid && others_get_on(c) && std::min(end, timers->next_due()) > clock.now());
  // (If it was a timer that ended it, who knows.)
  if (for_long && (paid || clock.now() >= end)) c.lookouts.learn(paid);
  return paid;
}

void runtime_core::wait_for_work(carrier& c, const std::atomic<bool>* until) {
  if (look_out(c, until)) return;
  time_ns patience = deadlock_patience_ns;
  for (;;) {
    const bool watcher = become_watcher(c);
    // Ordering: seq_cst; see the top of this file.
    c.asleep_.store(1, std::memory_order_seq_cst);
    time_ns wake_at = watcher ? watch_until(c) : never;
    const bool might_be_last = watcher && wake_at == never;
    if (might_be_last) wake_at = steady_now() + patience;
    if (!has_reason_to_leave(c, until) && c.mail_for_sure() == 0 && wake_at > clock.now() &&
        !clock.is_virtual()) {
      if (wake_at != never && wake_at == timers->next_due()) {
        port::futex_wait_exactly(c.asleep_, 1, wake_at);  // somebody waits for that
      } else {
        port::futex_wait(c.asleep_, 1, wake_at);
      }
    }
    // Ordering: seq_cst; see the top of this file.
    const bool woken = c.asleep_.exchange(0, std::memory_order_seq_cst) == 0;
    if (has_reason_to_leave(c, until)) return;
    const auto rest = [&] {
      stacks.trim();
      check_deadlock(1);
      patience = std::min(patience * 2, deadlock_patience_max_ns);
    };
    if (might_be_last && !woken && steady_now() >= wake_at) rest();
    if (watcher && timers->next_due() <= clock.now()) return;  // the base fires them
    if (watcher && raid_others(c)) return;
    if (clock.is_virtual() && !woken) {
      if (advance_virtual_clock()) return;
      // Ordering: seq_cst; as above, with all there is to wait for looked at once more.
      c.asleep_.store(1, std::memory_order_seq_cst);
      const time_ns rest_at = steady_now() + patience;
      if (!has_reason_to_leave(c, until) && c.mail_for_sure() == 0) {
        port::futex_wait(c.asleep_, 1, rest_at);
      }
      // Ordering: seq_cst; as above.
      if (c.asleep_.exchange(0, std::memory_order_seq_cst) == 1 && steady_now() >= rest_at) rest();
    }
  }
}

bool runtime_core::advance_virtual_clock() noexcept {
  // Every task waits. If one waits for a blocking call, that comes first: it ends by itself.
  // Ordering: acquire; pairs with the end of the call, whose mail we then see.
  if (blocking_calls.load(std::memory_order_acquire) != 0) return false;
  return let_time_pass();
}

// ---- the watcher --------------------------------------------------------------------------------

bool runtime_core::become_watcher(carrier& c) noexcept {
  carrier* nobody = nullptr;
  // Ordering: seq_cst; before the look at timers and lanes, see the top of this file.
  return watcher_.compare_exchange_strong(nobody, &c, std::memory_order_seq_cst) || nobody == &c;
}

void runtime_core::resign_as_watcher(carrier& c) noexcept {
  // Ordering: seq_cst; arm_watch() may have found c idle, and woken it to watch, when it was on its
  // way out: it, too, sees to it that somebody does.
  carrier* const watcher = watcher_.load(std::memory_order_seq_cst);
  if (watcher != nullptr && watcher != &c) {
    // It may have looked before c had what c has taken from others, or what came by mail while c
    // was still idle to whoever sent it.
    if (c.mail_for_sure() + c.lane.count() > 1) note_surplus();
    return;
  }
  // Ordering: seq_cst for both, in this order: arm_watch() sets the second and then looks at the
  // first, so either it finds no watcher and makes one, or what it set is cleared here.
  if (watcher == &c) watcher_.store(nullptr, std::memory_order_seq_cst);
  watch_armed_.store(false, std::memory_order_seq_cst);
  // The timers need a keeper, and those that are active a watcher: this one may be busy for long.
  // It begins with its first task, and only those behind that have to wait.
  if (timers->next_due() != never || c.mail_for_sure() + c.lane.count() > 1 || others_active(c)) {
    arm_watch();
  }
}

time_ns runtime_core::watch_until(carrier& watcher) noexcept {
  const time_ns timer = timers->next_due();
  if (!others_active(watcher)) {
    // Ordering: seq_cst; then look again: whoever became active before this store is seen here,
    // whoever becomes active later finds the watch not armed.
    watch_armed_.store(false, std::memory_order_seq_cst);
    if (!others_active(watcher)) {
      watch_round_ = 0;
      return timer;
    }
  }
  // Ordering: seq_cst; as above.
  watch_armed_.store(true, std::memory_order_seq_cst);
  const std::uint32_t round = std::min(watch_round_, watch_round_max);
  watch_round_ += 1;
  return std::min(timer, clock.now() + (watch_first_ns << round));
}

bool runtime_core::others_active(const carrier& me) const noexcept {
  for (int i = 0; i < known_carriers(); ++i) {
    const carrier& c = at(i);
    // Ordering: seq_cst; see watch_until(). relaxed for attached: one that is about to attach will
    // find the watch not armed.
    if (&c != &me && c.attached.load(std::memory_order_relaxed) &&
        !c.idle.load(std::memory_order_seq_cst)) {
      return true;
    }
  }
  return false;
}

/// Is any of them active that has not been in one task, or in the kernel, for long? What those do
/// next is not to be looked out for.
bool runtime_core::others_get_on(const carrier& me) const noexcept {
  constexpr time_ns long_ns = 1'000'000;
  const time_ns now = clock.now();
  for (int i = 0; i < known_carriers(); ++i) {
    const carrier& c = at(i);
    // Ordering: relaxed; hints.
    if (&c != &me && c.attached.load(std::memory_order_relaxed) &&
        !c.idle.load(std::memory_order_relaxed) && now - c.grain.now_about() < long_ns) {
      return true;
    }
  }
  return false;
}

/// From here on those are found stuck that do not get on.
void runtime_core::look_at_others(carrier& me) noexcept {
  try {
    me.glimpsed.resize(static_cast<std::size_t>(known_carriers()));
  } catch (const std::bad_alloc&) {  // NOLINT: those that it has room for
  }
  for (std::size_t i = 0; i < me.glimpsed.size(); ++i) {
    me.glimpsed[i] = at(static_cast<int>(i)).switches;
  }
}

/// Does it compute, at this moment? One that does not get on may also have been preempted; who took
/// its work then would only keep it from its processor.
bool runtime_core::computes(const carrier& c, std::uint64_t switches) noexcept {
  const int thread = c.thread_id;
  if (thread == 0) return false;  // it is on its way
  const std::int64_t used = port::thread_time(thread);
  const time_ns began = steady_now();
  for (int i = 0; i < spin_rounds; ++i) port::relax();
  const std::int64_t used_since = port::thread_time(thread) - used;
  return used >= 0 && used_since > (steady_now() - began) / 2 && c.switches == switches;
}

/// Half of what waits behind somebody's long piece of work.
bool runtime_core::raid_who_computes(carrier& thief) {
  for (std::size_t i = 0; i < thief.glimpsed.size(); ++i) {
    carrier& c = at(static_cast<int>(i));
    // Ordering: relaxed; hints. The gate decides.
    if (&c == &thief || c.lane.count() == 0 || c.switches != thief.glimpsed[i] ||
        !c.attached.load(std::memory_order_relaxed) || c.idle.load(std::memory_order_relaxed) ||
        !computes(c, thief.glimpsed[i])) {
      continue;
    }
    const std::unique_lock lock(raid_m_, std::try_to_lock);
    if (!lock) return false;
    task_chain loot = c.lane.raid();
    if (loot.count == 0) continue;
    thief.lane.push_all(loot);
    return true;
  }
  return false;
}

bool runtime_core::raid_others(carrier& thief) {
  const std::unique_lock lock(raid_m_, std::try_to_lock);
  if (!lock) return false;
  const int n = known_carriers();
  task_chain loot;
  for (int i = 0; i < n && loot.count == 0; ++i) {
    carrier& c = at(i);
    const std::uint64_t switches = c.switches;
    const bool stuck = std::exchange(c.seen_by_watcher, switches) == switches;
    // Ordering: relaxed; hints. The gate and the mail's lock decide.
    if (&c == &thief || !c.attached.load(std::memory_order_relaxed) ||
        c.idle.load(std::memory_order_relaxed)) {
      continue;
    }
    c.grain.hurry();
    // Fine work that gets on stays where it is.
    if (!stuck && !c.grain.coarse()) continue;
    if (c.lane.count() > 0) loot = c.lane.raid();
    if (loot.count == 0 && c.has_mail()) loot = c.raid_mail();
  }
  if (loot.count == 0) return false;
  watch_round_ = 0;
  thief.lane.push_all(loot);
  return true;
}

void runtime_core::arm_watch() {
  // Ordering: seq_cst; see resign_as_watcher(). Only the first pays for a wake-up.
  if (watch_armed_.exchange(true, std::memory_order_seq_cst)) return;
  if (!has_spare()) {
    ask_monitor();
    return;
  }
  // Ordering: seq_cst; as above.
  if (carrier* w = watcher_.load(std::memory_order_seq_cst)) {
    w->wake();
    return;
  }
  for (int i = 0; i < known_carriers(); ++i) {
    // Ordering: seq_cst; see the top of this file.
    if (at(i).idle.load(std::memory_order_seq_cst)) {
      at(i).wake();
      return;
    }
  }
  task_chain none;
  if (start_carrier(none) == start_result::started) return;
  settle(none);
  ask_monitor();
}

void runtime_core::note_earlier_timer() noexcept {
  // Ordering: seq_cst; after the insert, before the look: see the top of this file.
  if (carrier* w = watcher_.load(std::memory_order_seq_cst)) {
    w->wake();
  } else {
    arm_watch();
  }
}

void runtime_core::ask_monitor() noexcept {
  if (clock.is_virtual()) return;
  // Ordering: seq_cst; before rouse(): see look_after(). One that is already looked after need not
  // ask again.
  if (monitored_.exchange(true, std::memory_order_seq_cst)) return;
  if (monitor::instance().rouse()) return;
  // Ordering: seq_cst; as above: the system has no thread for it, perhaps next time.
  monitored_.store(false, std::memory_order_seq_cst);
  watch_armed_.store(false, std::memory_order_seq_cst);
}

// ---- giving work away ---------------------------------------------------------------------------

void runtime_core::judge_gifts(carrier& c) noexcept {
  const auto judge = [this](carrier& giver, carrier& receiver) {
    const time_ns since = receiver.gift_since;
    giver.gifts.learn(since != 0 ? clock.now() - since : 0);
    receiver.gift_from = carrier::nobody;
    if (giver.gift_to == receiver.index) giver.gift_to = carrier::nobody;
  };
  // (Not begun: it is still on its way to us.)
  carrier* const giver = known(c.gift_from);
  if (giver != nullptr && c.gift_since != 0) judge(*giver, c);
  carrier* const receiver = known(c.gift_to);
  if (receiver != nullptr && receiver->gift_from == c.index) judge(c, *receiver);
}

carrier* runtime_core::known(int index) const noexcept {
  return index >= 0 && index < known_carriers() ? &at(index) : nullptr;
}

carrier* runtime_core::claim_idle(carrier* preferred) noexcept {
  const auto claim = [this](carrier& c) {
    // Ordering: relaxed; a hint. seq_cst for the exchange: whoever clears it counts it.
    if (!c.idle.load(std::memory_order_relaxed)) return false;
    if (!c.idle.exchange(false, std::memory_order_seq_cst)) return false;
    count_spare(-1);
    return true;
  };
  if (preferred != nullptr && &preferred->rt == this && claim(*preferred)) return preferred;
  for (int i = 0; i < known_carriers(); ++i) {
    if (claim(at(i))) return &at(i);
  }
  return nullptr;
}

bool runtime_core::give_to_idle(task_chain& tasks, carrier* preferred, carrier* giver) {
  while (carrier* c = claim_idle(preferred)) {
    if (giver != nullptr) {
      carrier* const last = known(giver->gift_to);
      if (last != nullptr && last->gift_from == giver->index) {
        last->gift_from = carrier::nobody;  // of that one it will not be known
      }
      c->gift_since = 0;
      c->gift_from = giver->index;
      giver->gift_to = c->index;
    }
    if (c->post(tasks)) {
      tasks = {};
      return true;
    }
    preferred = nullptr;  // it has just lost its thread: another
  }
  return start_carrier(tasks) == start_result::started;
}

}  // namespace weir::detail
