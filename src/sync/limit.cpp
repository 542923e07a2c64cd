// SPDX-License-Identifier: MIT
#include "weir/limit.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "runtime/runtime_core.hpp"
#include "sync/wait.hpp"

namespace weir::detail {
namespace {

constexpr time_ns timer_gap_ns = 50'000;          // between two firings of one limit's timer
constexpr time_ns lateness_max_ns = 100'000'000;  // for which a bucket makes up
constexpr time_ns return_max_ns = 1'000'000;      // that it gives one who waited to come back
constexpr std::int64_t amount_max = 1'000'000'000'000;

/// Who waits for a limit, and the one timer that serves them.
///
/// Invariants
///   L1  while somebody waits, the timer is armed for no later than the front waiter's due time, or
///       timer_gap_ns after it last fired; or somebody is on the way to arm it so. Who can not
///       (no thread, no memory) sends the front waiter on that way, see pass_on().
///   L2  the entry is put into a queue by arm(), under arm_m_, or by its own firing; so between
///       arm()'s remove and insert it does not fire.
///   L3  locks are taken in the order arm_m_, the timer queue's, lock_; fire() takes the last only.
///   L4  the timer may fire until it is taken out, although nobody waits any more; so every rule is
///       final, and its destructor takes it out first, while the rule is whole.
///   L5  the armed timer counts on the clock of those who wait. One that was armed on another when
///       nobody waits any more is disowned: armed_at_ is never, and if it still fires it does
///       nothing.
class limit_state : public shared_object, public timer_entry, private timer_entry::deferred {
 public:
  explicit limit_state(const wait_kind& kind) noexcept : kind_(kind) {}

  /// `n` has been checked, for these two.
  [[nodiscard]] bool acquire(std::int64_t n, const context* until);
  [[nodiscard]] bool try_acquire(std::int64_t n);
  /// Throws unless 0 <= n <= what can be allowed at once.
  virtual void check(std::int64_t n, const char* where) const = 0;

 protected:
  // The rule, by the limit's own time; all under lock_.
  /// When n will be allowed if nobody takes any before.
  [[nodiscard]] virtual time_ns due(std::int64_t n, time_ns now) const noexcept = 0;
  /// Takes n, which are allowed.
  virtual void take(std::int64_t n, time_ns now) noexcept = 0;
  /// From now on somebody waits, or nobody does.
  virtual void note_waiting(bool /*somebody*/, time_ns /*now*/) noexcept {}
  /// L4: the first act of a rule's destructor.
  void take_timer_out() noexcept {
    if (timers_) timers_->remove(*this);
  }

 private:
  outcome fire(time_ns clock_time) override;
  timer_entry::deferred* abandon() override;
  void finish() noexcept override;

  [[nodiscard]] time_ns own_now() noexcept;
  void serve(time_ns now, wake_batch& wakes) noexcept;
  [[nodiscard]] time_ns next_firing(std::int64_t n, time_ns now) const noexcept;
  [[nodiscard]] time_ns next_firing(time_ns now) const noexcept;
  enum class beginning : std::uint8_t { taken, done, waits };
  [[nodiscard]] beginning begin(std::int64_t n, const context* until, bool was_sent);
  void arm(time_ns at);
  void put_in_queue(time_ns at);
  void pass_on() noexcept;
  void leave_early() noexcept;

  const wait_kind& kind_;
  spin_lock lock_;  // guards all but the last two
  wait_list waiters_;
  time_ns last_ = 0;   // the limit's own time never goes back
  time_ns shift_ = 0;  // own time = clock's time + shift_
  time_ns last_fired_ = -timer_gap_ns;
  time_ns armed_at_ = never;     // L1: own time; when the timer fires at the latest
  const void* clock_ = nullptr;  // L5: the virtual runtime's, or null: the machine's

  std::mutex arm_m_;  // guards timers_
  ref<timer_queue> timers_;
};

/// The clock is read under the lock, so it goes back only from one clock to another, which a limit
/// may be used on afterwards: its own time stands still over the change.
time_ns limit_state::own_now() noexcept {
  const runtime_core* rt = runtime_core::current_if_started();
  const time_ns clock_time = rt != nullptr ? rt->clock.now() : steady_now();
  const void* const clock = rt != nullptr && rt->clock.is_virtual() ? rt : nullptr;
  if (clock != clock_ && waiters_.empty()) {  // (keeps L5)
    clock_ = clock;
    armed_at_ = never;
  }
  if (clock_time + shift_ < last_) shift_ = last_ - clock_time;
  last_ = clock_time + shift_;
  return last_;
}

/// First come, first served: nobody overtakes a request that is not due yet.
void limit_state::serve(time_ns now, wake_batch& wakes) noexcept {
  while (wait_node* n = waiters_.front()) {
    if (due(n->weight, now) > now) return;
    waiters_.remove(*n);
    if (!n->op->claim(n->index)) continue;  // gone with its context
    n->ok = true;
    take(n->weight, now);
    wakes.add(*n);
  }
  note_waiting(false, now);
}

time_ns limit_state::next_firing(std::int64_t n, time_ns now) const noexcept {
  return std::max(due(n, now), last_fired_ + timer_gap_ns);
}

time_ns limit_state::next_firing(time_ns now) const noexcept {
  return waiters_.empty() ? never : next_firing(waiters_.front()->weight, now);
}

bool limit_state::acquire(std::int64_t n, const context* until) {
  interruption_point("acquire from a limit");
  const auto wanted = static_cast<std::size_t>(n);
  for (bool was_sent = false;; was_sent = true) {
    switch (begin(n, until, was_sent)) {
      case beginning::taken: return true;
      case beginning::done: return false;
      case beginning::waits: break;
    }
    wait_node node;
    node.weight = n;
    if (!wait_in(lock_, waiters_, node, until,
                 {.kind = &kind_, .object = this, .amount = wanted})) {
      interruption_point("leave of a limit");
      leave_early();
      return false;
    }
    if (node.ok) return true;
  }
}

/// Takes n, or sees to it that the timer is armed for who waits; then lock_ is held. What has been
/// sent to do that (L1) had its place already: a thread, which needs nobody, keeps trying.
limit_state::beginning limit_state::begin(std::int64_t n, const context* until, bool was_sent) {
  for (;;) {
    std::unique_lock lock(lock_);
    const time_ns now = own_now();
    const bool first = waiters_.empty();
    if (first && due(n, now) <= now) {
      take(n, now);
      return beginning::taken;
    }
    const time_ns at = first ? next_firing(n, now) : next_firing(now);
    if (armed_at_ <= at) {  // L1
      if (first) note_waiting(true, now);
      lock.release();
      return beginning::waits;
    }
    lock.unlock();
    try {
      arm(at);
    } catch (...) {
      if (!was_sent || carrier::current_task() != nullptr || forked()) throw;
      if (until != nullptr && until->cancelled()) return beginning::done;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

bool limit_state::try_acquire(std::int64_t n) {
  interruption_point("try_acquire from a limit");
  const std::lock_guard lock(lock_);
  const time_ns now = own_now();
  if (!waiters_.empty() || due(n, now) > now) return false;
  take(n, now);
  return true;
}

/// We may have been the large one that the others stood behind.
void limit_state::leave_early() noexcept {
  wake_batch wakes;
  time_ns at = never;
  {
    const std::lock_guard lock(lock_);
    const time_ns now = own_now();
    serve(now, wakes);
    at = next_firing(now);
    if (armed_at_ <= at) at = never;
  }
  wakes.wake_all();
  if (at == never) return;
  try {
    arm(at);
  } catch (...) {  // NOLINT: somebody else has been sent
  }
}

// ---- the timer ----------------------------------------------------------------------------------

/// Sees to it that the timer fires at `at`, of the own time, or earlier.
void limit_state::arm(time_ns at) {
  try {
    put_in_queue(at);
  } catch (...) {
    pass_on();
    throw;
  }
}

/// (keeps L1) We could not arm the timer: the front waiter, if there is one, comes to try that
/// itself, on its own runtime, and finds out why if it cannot. That takes nothing.
void limit_state::pass_on() noexcept {
  wake_batch wakes;
  {
    const std::lock_guard lock(lock_);
    const time_ns now = own_now();
    if (armed_at_ <= next_firing(now)) return;
    if (wait_node* n = waiters_.claim_front()) wakes.add(*n);  // its `ok` stays false
    if (waiters_.empty()) note_waiting(false, now);
  }
  wakes.wake_all();
}

void limit_state::put_in_queue(time_ns at) {
  runtime_core* rt = &runtime_core::current();
  rt->check_fork();
  rt->need_carrier();
  const unbroken under_mutex;
  const std::lock_guard arming(arm_m_);
  if (timers_) timers_->remove(*this);
  time_ns clock_time = 0;
  {
    const std::lock_guard lock(lock_);
    at = std::min(at, next_firing(own_now()));
    armed_at_ = at;
    if (at == never) return;
    clock_time = at - shift_;
  }
  try {
    timers_ = rt->timers;
    auto added = timers_->insert(*this, clock_time);
    if (added == timer_queue::added::closed) {
      rt = &runtime_core::default_core();
      rt->need_carrier();
      timers_ = rt->timers;
      added = timers_->insert(*this, clock_time);
    }
    if (added == timer_queue::added::first) rt->note_earlier_timer();
  } catch (...) {
    const std::lock_guard lock(lock_);
    armed_at_ = never;
    throw;
  }
}

timer_entry::outcome limit_state::fire(time_ns clock_time) {
  wake_batch wakes;
  time_ns again = never;
  {
    const std::lock_guard lock(lock_);
    if (armed_at_ == never) return {};  // (L5)
    // It was read before the lock was taken, so others may be ahead of it.
    const time_ns now = last_ = std::max(clock_time + shift_, last_);
    serve(now, wakes);
    last_fired_ = now;
    armed_at_ = next_firing(now);
    if (armed_at_ != never) again = armed_at_ - shift_;
  }
  wakes.wake_all();
  return {.again =
              again};  // also when the last waiter is on its way to our destructor: see remove()
}

/// The runtime that keeps the timer ends; others may still wait.
timer_entry::deferred* limit_state::abandon() { return try_retain() ? this : nullptr; }

void limit_state::finish() noexcept {
  const auto self = ref<limit_state>::adopt(this);
  {
    const std::lock_guard lock(lock_);
    armed_at_ = never;
    if (waiters_.empty()) return;
  }
  try {
    arm(never);
  } catch (...) {  // NOLINT: no thread or no memory: somebody else has been sent
  }
}

// ---- the rules ----------------------------------------------------------------------------------

void refuse(const char* word, const std::string& value, const char* remedy) {
  throw std::invalid_argument(std::string("weir::") + word + ": " + value + ": " + remedy);
}

/// A bucket, as the time at which it is full: it holds what has fallen due before, and a token is
/// an interval. A waiter's tokens are counted as taken when they fell due, so that a late wake-up
/// costs none.
class bucket_state final : public limit_state {
 public:
  bucket_state(long double rate, std::int64_t burst)
      : limit_state(bucket_wait),
        burst_(burst),
        interval_(static_cast<wide>(std::round(1e9L * ticks_per_ns / rate))),
        depth_(interval_ * burst) {}
  ~bucket_state() override { take_timer_out(); }

  void check(std::int64_t n, const char* where) const override {
    if (n >= 0 && n <= burst_) return;
    refuse("token_bucket", std::string(where) + " of " + std::to_string(n),
           n < 0 ? "an amount is not negative"
                 : ("more than the burst of " + std::to_string(burst_) +
                    " never comes: acquire in parts, or raise the burst")
                       .c_str());
  }

 private:
  __extension__ using wide = __int128;
  static constexpr wait_kind bucket_wait{"acquire from token_bucket", "wants"};
  static constexpr int tick_bits = 20;
  static constexpr std::int64_t ticks_per_ns = std::int64_t{1} << tick_bits;
  static constexpr wide lateness_max = wide{lateness_max_ns} * ticks_per_ns;

  [[nodiscard]] static wide ticks(time_ns t) noexcept { return wide{t} * ticks_per_ns; }

  /// When it will be full, as of now. What came while it was full, and nobody waited, is lost; what
  /// came before that, for somebody who waited, stays, above the burst.
  [[nodiscard]] wide base(time_ns now) const noexcept {
    wide overfull = lateness_max;
    if (!waited_for_ && now > kept_until_) {
      overfull = std::clamp(ticks(kept_until_) - full_at_, wide{0}, lateness_max);
    }
    return std::max(full_at_, ticks(now) - overfull);
  }
  [[nodiscard]] time_ns due(std::int64_t n, time_ns now) const noexcept override {
    const wide at = base(now) + n * interval_ - depth_;
    const wide rounded_up = (at + ticks_per_ns - 1) >> tick_bits;
    // A bucket may be deeper, or emptier, than there is time on either side.
    return static_cast<time_ns>(std::clamp(rounded_up, wide{-never}, wide{never - 1}));
  }
  void take(std::int64_t n, time_ns now) noexcept override {
    full_at_ = base(now) + n * interval_;
    kept_until_ = std::max(kept_until_, now);
  }
  void note_waiting(bool somebody, time_ns now) noexcept override {
    if (waited_for_ && !somebody) kept_until_ = now + return_max_ns;
    waited_for_ = somebody;
  }

  const std::int64_t burst_;
  const wide interval_;     // between two tokens, in ticks
  const wide depth_;        // of a full bucket
  wide full_at_ = 0;        // these: under the limit's lock
  time_ns kept_until_ = 0;  // all that came until then is kept
  bool waited_for_ = false;
};

/// A ring of at most slots_max runs of events, all as long (but for one event), that together are
/// `count`: the next event belongs to the run where the one `count` before it was, and is allowed
/// when the last event of that run is `duration` ago.
class window_state final : public limit_state {
 public:
  window_state(std::int64_t count, time_ns duration)
      : limit_state(window_wait),
        count_(count),
        duration_(duration),
        slots_(std::min(count, slots_max)),
        last_of_(static_cast<std::size_t>(slots_), long_ago) {}
  ~window_state() override { take_timer_out(); }

  void check(std::int64_t n, const char* where) const override {
    if (n >= 0 && n <= count_) return;
    refuse("sliding_window", std::string(where) + " of " + std::to_string(n),
           n < 0 ? "an amount is not negative"
                 : ("more than the count of " + std::to_string(count_) +
                    " is never allowed: acquire in parts, or raise the count")
                       .c_str());
  }

 private:
  static constexpr wait_kind window_wait{"acquire from sliding_window", "wants"};
  static constexpr std::int64_t slots_max = 1024;
  static constexpr time_ns long_ago = -never / 2;

  [[nodiscard]] std::int64_t slot_of(std::int64_t position) const noexcept {
    return ((position + 1) * slots_ - 1) / count_;
  }
  [[nodiscard]] std::int64_t begin_of(std::int64_t slot) const noexcept {
    return count_ * slot / slots_;
  }
  [[nodiscard]] time_ns& last_of(std::int64_t slot) noexcept {
    return last_of_[static_cast<std::size_t>(slot % slots_)];
  }
  [[nodiscard]] const time_ns& last_of(std::int64_t slot) const noexcept {
    return last_of_[static_cast<std::size_t>(slot % slots_)];
  }
  /// Where the next n begin: after the run that was begun, if they would go all around to it.
  [[nodiscard]] std::int64_t start(std::int64_t n) const noexcept {
    const std::int64_t slot = slot_of(next_);
    const bool begun = next_ != begin_of(slot);
    return begun && n > count_ - (next_ - begin_of(slot)) ? begin_of(slot + 1) : next_;
  }
  [[nodiscard]] time_ns due(std::int64_t n, time_ns /*now*/) const noexcept override {
    if (n == 0) return long_ago;
    const std::int64_t from = start(n);
    const std::int64_t last = slot_at(from + n - 1);
    // The run that was begun is free to its end.
    if (last == slot_of(next_) && from == next_ && next_ != begin_of(last)) return long_ago;
    return time_plus(last_of(last), duration_);
  }
  void take(std::int64_t n, time_ns now) noexcept override {
    if (n == 0) return;
    const std::int64_t from = start(n);
    for (std::int64_t s = slot_at(from); s <= slot_at(from + n - 1); ++s) last_of(s) = now;
    next_ = (from + n) % count_;
  }
  /// The slot of a position that may lie in the next round.
  [[nodiscard]] std::int64_t slot_at(std::int64_t position) const noexcept {
    return position < count_ ? slot_of(position) : slots_ + slot_of(position - count_);
  }

  const std::int64_t count_;
  const time_ns duration_;
  const std::int64_t slots_;
  std::vector<time_ns> last_of_;  // by slot; this and the next: under the limit's lock
  std::int64_t next_ = 0;         // position of the next event, below count_
};

limit_state& as_limit(const ref<shared_object>& r) noexcept {
  return static_cast<limit_state&>(*r);
}

}  // namespace

void limit_handle::acquire(amount n) const {
  const auto keep = state_;
  as_limit(keep).check(n, "acquire");
  (void)as_limit(keep).acquire(n, nullptr);
}

bool limit_handle::acquire(const context& ctx, amount n) const {
  as_limit(state_).check(n, "acquire");
  if (ctx.cancelled()) return false;
  const auto keep = state_;
  return as_limit(keep).acquire(n, &ctx);
}

bool limit_handle::try_acquire(amount n) const {
  as_limit(state_).check(n, "try_acquire");
  return as_limit(state_).try_acquire(n);
}

ref<shared_object> make_token_bucket(double rate_per_second, std::int64_t burst) {
  if (!(rate_per_second >= 1e-9 && rate_per_second <= 1e9)) {
    std::ostringstream value;
    value << "a rate of " << rate_per_second << " a second";
    refuse("token_bucket", value.str(),
           "give one within 1e-9 and 1e9; for no limit leave it out, or use rate_limit{}");
  }
  if (burst < 1 || burst > amount_max) {
    refuse("token_bucket", "a burst of " + std::to_string(burst),
           "give one within 1 and 10^12: it is how many may pass at once");
  }
  return make_ref<bucket_state>(rate_per_second, burst);
}

ref<shared_object> make_sliding_window(std::int64_t count, nanoseconds duration) {
  constexpr nanoseconds duration_max = std::chrono::hours(24 * 3653);
  if (count < 1 || count > amount_max) {
    refuse("sliding_window", "a count of " + std::to_string(count),
           "give one within 1 and 10^12; for no limit leave it out, or use rate_limit{}");
  }
  if (duration <= nanoseconds::zero() || duration > duration_max) {
    refuse("sliding_window", "a duration of " + std::to_string(duration.count()) + " ns",
           "give one within 1 ns and ten years");
  }
  return make_ref<window_state>(count, duration.count());
}

}  // namespace weir::detail
