// SPDX-License-Identifier: MIT
#include "weir/timer.hpp"

#include <algorithm>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>

#include "runtime/parking.hpp"
#include "sync/call_later.hpp"
#include "sync/callback.hpp"

namespace weir::detail {

using time_point = context::clock::time_point;

/// What timer and ticker handles name. An after_func holds itself while it is to fire.
class timer_state final : public shared_object, public timer_entry, private timer_entry::deferred {
 public:
  /// What becomes of its function if its runtime ends first.
  enum class at_the_end : std::uint8_t { dropped, called };

  explicit timer_state(std::function<void()> f, at_the_end then = at_the_end::dropped)
      : ticks(f ? ref<channel_state<time_point>>() : make_ref<channel_state<time_point>>(1U)),
        then_(then),
        f_(std::move(f)) {
    if (ticks) ticks->hides_buffer = true;
  }
  ~timer_state() override {
    if (timers_) timers_->remove(*this);
  }

  /// Fires `first` from now, and then every `period` if that is not 0. True if it was still to
  /// fire.
  bool restart(nanoseconds first, nanoseconds period, runtime_core& rt = runtime_core::current()) {
    interruption_point("start of a timer");
    rt.check_fork();
    rt.need_carrier();
    const unbroken under_mutex;
    const std::lock_guard lock(m_);
    const bool was_armed = disarm();
    period_ = period.count();
    timers_ = rt.timers;
    auto held = f_ ? ref<timer_state>::share(this) : ref<timer_state>();
    const auto added =
        timers_->insert(*this, time_plus(rt.clock.now(), std::max<time_ns>(first.count(), 0)));
    if (added != timer_queue::added::closed) (void)held.detach();  // it is the queue's
    if (added == timer_queue::added::first) rt.note_earlier_timer();
    if (added == timer_queue::added::closed && then_ == at_the_end::called) {
      throw std::system_error(errc::closed, "weir: a timer of a runtime that has ended");
    }
    return was_armed;
  }

  /// True if it was still to fire.
  bool stop() {
    interruption_point("stop of a timer");
    const unbroken under_mutex;
    const std::lock_guard lock(m_);
    return disarm();
  }

  const ref<channel_state<time_point>> ticks;  // null for after_func

 private:
  /// After this nothing of the past can be received. Under m_.
  bool disarm() {
    const bool was_waiting = timers_ && timers_->remove(*this);
    bool was_unseen = false;
    if (ticks) {
      const std::lock_guard lock(ticks->lock);
      // A tick in the buffer that nobody received has, to its user, not fired.
      was_unseen = ticks->count > 0;
      ticks->clear_locked();
    }
    if (was_waiting && f_) release();
    return was_waiting || was_unseen;
  }

  /// Under the queue's lock. Never takes m_, which disarm() holds while it waits for that lock.
  outcome fire(time_ns now) override {
    if (!ticks) return {.rest = this};  // with the reference that restart() took
    wait_node* partner = nullptr;
    time_point tick{std::chrono::nanoseconds(now)};
    {
      const std::lock_guard lock(ticks->lock);
      (void)ticks->try_send_step(&tick, partner);  // dropped if the last was not received
    }
    if (partner != nullptr) wake_node(*partner);
    if (period_ == 0) return {};
    const time_ns missed = (now - due()) / period_;
    return {.again = time_plus(due(), (missed + 1) * period_)};
  }

  timer_entry::deferred* abandon() override { return f_ ? &dropped_ : nullptr; }

  /// What fires: the task takes over the queue's reference. So all that is the user's, f_ and, if
  /// this is the last reference, its end, is in that task, and may wait. (A copy of f_ could throw,
  /// and there would be nobody to tell.)
  struct call {
    ref<timer_state> timer;
    void operator()() const { timer->f_(); }
  };

  void finish() noexcept override {
    call job{ref<timer_state>::adopt(this)};
    try {
      if (!start_callback(job) && then_ == at_the_end::called) job();  // its runtime ends
    } catch (const std::bad_alloc&) {
      job();  // as what a context calls
    }
  }

  /// What is left to do when its runtime ends: nothing is called, unless it is Weir's own, and the
  /// reference goes. The timer may be started again, on another.
  struct dropped final : timer_entry::deferred {
    explicit dropped(timer_state& t) : timer(t) {}
    void finish() noexcept override {
      const auto self = ref<timer_state>::adopt(&timer);
      if (timer.then_ == at_the_end::called) timer.f_();
    }
    timer_state& timer;
  };

  std::mutex m_;  // guards timers_; taken before the queue's lock
  ref<timer_queue> timers_;
  relaxed<time_ns> period_{0};  // written while not in a queue
  dropped dropped_{*this};
  const at_the_end then_;
  const std::function<void()> f_;
};

timer_handle::timer_handle(nanoseconds first, nanoseconds period, std::function<void()> f)
    : state_(make_ref<timer_state>(std::move(f))) {
  state().restart(first, period);
}

timer_state& timer_handle::state() const noexcept { return static_cast<timer_state&>(*state_); }

receiver<time_point> timer_handle::channel() const { return receiver<time_point>(state().ticks); }

bool timer_handle::stop() const { return state().stop(); }

bool timer_handle::restart(nanoseconds first, nanoseconds period) const {
  return state().restart(first, period);
}

nanoseconds timer_handle::checked_period(nanoseconds p, const char* where) {
  if (p <= nanoseconds::zero()) {
    throw std::invalid_argument(std::string("weir::") + where + ": the period is not positive");
  }
  return p;
}

ref<shared_object> call_later(runtime_core& rt, std::chrono::nanoseconds d,
                              std::function<void()> f) {
  auto timer = make_call(std::move(f));
  call_again(*timer, rt, d);
  return timer;
}

ref<shared_object> make_call(std::function<void()> f) {
  return make_ref<timer_state>(std::move(f), timer_state::at_the_end::called);
}

// (What malloc adds to each of two blocks, and its places in the queue, which grows by doubling.)
const std::size_t call_later_memory = sizeof(timer_state) + 16 + 48 + 2 * sizeof(timer_entry*);

void call_again(shared_object& timer, runtime_core& rt, std::chrono::nanoseconds d) {
  static_cast<timer_state&>(timer).restart(d, {}, rt);
}

void call_never(shared_object& timer) noexcept { (void)static_cast<timer_state&>(timer).stop(); }

}  // namespace weir::detail
