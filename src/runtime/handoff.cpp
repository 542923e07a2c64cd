// SPDX-License-Identifier: MIT
// The right to run, apart from the thread: how a stuck carrier loses it, and what becomes of the
// thread when it comes back. Part of runtime_core.
//
// A carrier that has a thread is entitled to run, or has lost that right (`lost_right`). Of those
// that have not been lent, at most `limit` are entitled. One that comes back without a right takes
// a free one, or its tasks go elsewhere and its thread to the bench, until a carrier needs a
// thread.

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "runtime/monitor.hpp"
#include "runtime/runtime_core.hpp"

namespace weir::detail {
namespace {

/// Whether a thread of this process sleeps in the kernel, as against: runs, or would like to.
bool sleeps_in_kernel(int thread) noexcept {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
  std::FILE* file = std::fopen(path, "re");
  if (file == nullptr) return false;
  char text[512];
  const std::size_t n = std::fread(text, 1, sizeof text - 1, file);
  std::fclose(file);
  text[n] = '\0';
  const char* end_of_name = std::strrchr(text, ')');  // the name may hold anything
  if (end_of_name == nullptr || end_of_name[1] == '\0') return false;
  return end_of_name[2] == 'S' || end_of_name[2] == 'D';
}

}  // namespace

// ---- rights -------------------------------------------------------------------------------------

void runtime_core::change_entitled(int change) noexcept {
  // Ordering: relaxed; m_ orders it for those who depend on it.
  const int before = entitled_.load(std::memory_order_relaxed);
  entitled_.store(before + change, std::memory_order_relaxed);
  if (change > 0 && before < limit) count_spare(-1);
  if (change < 0 && before <= limit) count_spare(+1);
}

bool runtime_core::retake_right(carrier& c) noexcept {
  const std::lock_guard lock(m_);
  // Ordering: relaxed; m_ orders it. Idle is a hint: one that sleeps holds nobody up.
  if (!c.attached.load(std::memory_order_relaxed) || c.lost_right ||
      c.idle.load(std::memory_order_relaxed)) {
    return false;
  }
  c.lost_right = true;
  c.call_to_base();
  change_entitled(-1);
  return true;
}

bool runtime_core::regain_right(carrier& c, bool lent) noexcept {
  const std::lock_guard lock(m_);
  // Ordering: relaxed; m_ orders it.
  if (!lent && entitled_.load(std::memory_order_relaxed) >= limit) return false;
  c.lost_right = false;
  change_entitled(+1);
  return true;
}

bool runtime_core::give_up_right(carrier& c) noexcept {
  // Ordering: relaxed; a hint. m_ orders the rest.
  if (entitled_.load(std::memory_order_relaxed) <= limit) return false;
  const std::lock_guard lock(m_);
  if (entitled_.load(std::memory_order_relaxed) <= limit) return false;
  c.lost_right = true;
  change_entitled(-1);
  return true;
}

// ---- the monitor's look -------------------------------------------------------------------------

runtime_core::look_again runtime_core::look_after(time_ns now) noexcept {
  if (stopping()) return look_again::not_now;
  if (!keep_going()) return look_again::soon;
  if (clock.is_virtual()) return look_again::not_now;
  // Ordering: seq_cst; first that it is not looked after, then whether it need be: whoever resigns
  // as a watcher, or becomes active, does so before it asks to be looked after.
  monitored_.store(false, std::memory_order_seq_cst);
  watch_armed_.store(false, std::memory_order_seq_cst);
  // Ordering: seq_cst; as above.
  if (watcher_.load(std::memory_order_seq_cst) != nullptr || !any_active()) {
    // All are idle, then, and the first of them watches. Unless the last one that was active has
    // gone, and left timers.
    // Ordering: seq_cst; as above.
    if (timers->next_due() != never && watcher_.load(std::memory_order_seq_cst) == nullptr) {
      arm_watch();
    }
    return look_again::not_now;
  }
  // Ordering: seq_cst; as above.
  watch_armed_.store(true, std::memory_order_seq_cst);
  monitored_.store(true, std::memory_order_seq_cst);
  look_again when = look_again::sometime;
  const int n = known_carriers();  // now: those that this starts have not had their chance yet
  for (int i = 0; i < n; ++i) when = std::max(when, look_at(at(i), now));
  return when;
}

runtime_core::look_again runtime_core::look_at(carrier& c, time_ns now) {
  carrier::last_look& last = c.looked_at_by_monitor;
  const std::uint64_t switches = c.switches;
  // Ordering: relaxed; hints.
  const bool attached = c.attached.load(std::memory_order_relaxed);
  const bool is_new = attached && !last.attached;  // its thread may still be on its way
  if (is_new || switches != last.switches || !attached || c.idle.load(std::memory_order_relaxed)) {
    last = {switches, now, attached};
    return is_new ? look_again::soon : look_again::sometime;
  }
  constexpr time_ns late = 1'000'000;
  const bool timer_is_late = timers->next_due() < now - late;
  if (c.lane.count() == 0 && !c.has_mail() && !timer_is_late) return look_again::sometime;
  const time_ns stuck_for = now - last.since;
  if (stuck_for < monitor::blocked_ns) return look_again::soon;
  if (stuck_for < monitor::long_ns && !sleeps_in_kernel(c.thread_id)) return look_again::soon;
  if (c.lost_right || has_spare() || retake_right(c)) relieve(c);
  return look_again::soon;
}

void runtime_core::relieve(carrier& stuck) {
  task_chain loot;
  {
    const std::unique_lock lock(raid_m_, std::try_to_lock);
    if (lock) loot = stuck.lane.raid_all();
  }
  task_chain mail = stuck.raid_mail();
  while (task* t = mail.pop_front()) loot.push_back(t);
  if (give_to_idle(loot)) return;
  // All carriers are busy: to one that has its right to run, if any.
  settle(loot);
}

bool runtime_core::any_active() const noexcept {
  for (int i = 0; i < known_carriers(); ++i) {
    // Ordering: seq_cst; see look_after(). relaxed for attached: one that is about to attach will
    // find the watch not armed.
    if (at(i).attached.load(std::memory_order_relaxed) &&
        !at(i).idle.load(std::memory_order_seq_cst)) {
      return true;
    }
  }
  return false;
}

// ---- the bench ----------------------------------------------------------------------------------

carrier* runtime_core::wait_on_bench() noexcept {
  std::unique_lock lock(m_);
  benched_ += 1;
  bench_.wait(lock, [this] {
    // Ordering: relaxed; stop() sets it under m_.
    return !assigned_.empty() || stop_.load(std::memory_order_relaxed);
  });
  benched_ -= 1;
  if (assigned_.empty()) return nullptr;
  carrier* c = assigned_.back();
  assigned_.pop_back();
  return c;
}

bool runtime_core::take_from_bench(carrier& c) {
  if (assigned_.size() >= benched_) return false;
  assigned_.push_back(&c);
  bench_.notify_one();
  return true;
}

// ---- at rest ------------------------------------------------------------------------------------

void runtime_core::describe_rest(long& sleeping_threads, std::uint64_t& waiting,
                                 std::uint64_t& happened, bool& may_go_on) {
  if (stopping()) return;
  // Ordering: acquire; pairs with the end of a call.
  may_go_on = may_go_on || timers->next_due() != never ||
              blocking_calls.load(std::memory_order_acquire) != 0;
  waiting += live_tasks();
  for (int i = 0; i < known_carriers(); ++i) {
    carrier& c = at(i);
    happened += c.switches + c.rests;
    // Ordering: relaxed; `happened` tells whether it has changed since.
    if (!c.attached.load(std::memory_order_relaxed)) continue;
    may_go_on = may_go_on || c.lane.count() > 0 || c.mail_for_sure() != 0;
    if (c.sleeps()) sleeping_threads += 1;
  }
  const std::lock_guard lock(m_);
  may_go_on = may_go_on || stranded_.count > 0;
  sleeping_threads += static_cast<long>(benched_ - assigned_.size());
}

}  // namespace weir::detail
