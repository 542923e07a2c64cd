// SPDX-License-Identifier: MIT
// What a pool looks at from time to time, while it has jobs and was asked to: jobs that are stuck,
// and how much memory there is.
#include <algorithm>
#include <cstdio>

#include "pool/pool_core.hpp"
#include "pool/pool_queue.hpp"
#include "port/memory.hpp"
#include "runtime/runtime_core.hpp"
#include "sync/call_later.hpp"

namespace weir::detail {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds brake_period = 100ms;  // and the adaptive count's

[[nodiscard]] std::int64_t cpu_used() noexcept {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

struct stuck_job {
  std::string name;
  std::chrono::nanoseconds age;
};

}  // namespace

bool pool_core::short_of_memory() const {
  const memory_brake& brake = options_.brake;
  return (brake.min_available > 0 && port::available_memory("") < brake.min_available) ||
         (brake.max_pressure > 0 && port::memory_pressure("") > brake.max_pressure);
}

/// One at a time: who sets watching_ calls this, or is watch() itself.
void pool_core::watch_later() noexcept {
  bool often = has_brake();
  {
    const std::lock_guard lock(lock_);
    often = often || sizing_;
  }
  std::chrono::nanoseconds period = often ? brake_period : options_.stuck_after;
  if (options_.stuck_after.count() > 0) {
    period = std::min(period, std::max<std::chrono::nanoseconds>(options_.stuck_after / 4, 1ms));
  }
  try {
    if (!watch_timer_) {  // first it is kept, and then it may fire
      watch_timer_ = make_call([link = link_] {
        if (const ref<pool_core> core = link->core()) core->watch();
      });
    }
    call_again(*watch_timer_, timekeeper(), period);
  } catch (...) {  // no memory for a timer: the next job that comes tries again
    const std::lock_guard all(*this);
    watching_ = false;
    watch_is_refused_ = true;
  }
}

void pool_core::watch() noexcept try {
  const bool hold = has_brake() && short_of_memory();
  std::vector<stuck_job> stuck;
  wake_batch wakes;
  {
    const std::lock_guard all(*this);
    if (lost_) {  // its jobs have been abandoned, and who ends it does not wait for this
      watching_ = false;
      return;
    }
    const std::chrono::nanoseconds limit = options_.stuck_after;
    const std::int64_t at = now();
    const auto is_stuck = [&](const job& j) {
      return limit.count() > 0 && at - j.since >= limit.count() && !j.reported;
    };
    for_each_running([&](const job& j) {
      if (!is_stuck(j)) return;
      stuck.push_back({j.name() != nullptr ? *j.name() : std::string("job"),
                       std::chrono::nanoseconds(at - j.since)});
    });
    // Only now that there was memory for all of them.
    for_each_running([&](job& j) { j.reported = j.reported || is_stuck(j); });
    if (!stuck.empty()) reporter_ = &strand_local();
  }
  for (const stuck_job& s : stuck) report_stuck(s.name, s.age);
  lock();
  reporter_ = nullptr;
  if (all_ended()) wake_list(joiners_, wakes);
  held_ = hold;
  watching_ = false;
  adapt();
  const todo rest = settle(wakes);
  unlock();
  after_settling(wakes, rest);
} catch (...) {  // no memory to look with: later
  watch_later();
}

/// Under the lock: whether it is time for another count of workers, and which.
void pool_core::adapt() noexcept {
  if (!sizing_) return;
  if (paused_ || held_) {  // nothing can be learned now
    sample_since_ = 0;
    return;
  }
  const std::int64_t at = now();
  const std::int64_t cpu = cpu_used();
  const std::uint64_t ended = done() + stats_.failed + stats_.retried;
  const double passed = static_cast<double>(at - sample_since_);
  const double share = static_cast<double>(cpu - sample_cpu_) / std::max(passed, 1.0) /
                       static_cast<double>(where_.limit);
  const sizing_sample s{.seconds = passed * 1e-9,
                        .completed = static_cast<std::int64_t>(ended - sample_ended_),
                        .cpu_share = share,
                        .backlog = sample_backlog_ && depth_ + waiting_submitters_ > 0};
  if (sample_since_ != 0) {
    if (!sizing_->enough(s)) return;
    target_ = sizing_->decide(s);
  }
  sample_since_ = at;
  sample_cpu_ = cpu;
  sample_ended_ = ended;
  sample_backlog_ = depth_ + waiting_submitters_ > 0;
}

/// Under the lock, or before anybody else knows of the pool.
void pool_core::begin_to_adapt(worker_count n) noexcept {
  most_workers_ = n.max();
  sizing_.reset();
  if (n.is_adaptive()) sizing_.emplace(n.min(), n.max(), target_);
  watched_ = options_.stuck_after.count() > 0 || has_brake() || sizing_;
  sample_since_ = 0;
}

void pool_core::report_stuck(const std::string& name, std::chrono::nanoseconds age) noexcept try {
  if (options_.on_stuck) {
    options_.on_stuck(name, age);
    return;
  }
  const double seconds = std::chrono::duration<double>(age).count();
  std::fprintf(stderr, "weir: pool \"%s\": job \"%s\" has been running for %.1f s\n",
               options_.name.c_str(), name.c_str(), seconds);
} catch (...) {
  std::fputs("weir: pool: the handler of stuck jobs threw\n", stderr);
}

}  // namespace weir::detail
