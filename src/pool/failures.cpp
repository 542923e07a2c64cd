// SPDX-License-Identifier: MIT
// What becomes of a job that fails: whether it is tried again, when, and who is told.
#include <cstdio>

#include "pool/pool_core.hpp"
#include "pool/pool_options.hpp"
#include "pool/pool_queue.hpp"
#include "runtime/random.hpp"
#include "runtime/runtime_core.hpp"
#include "sync/call_later.hpp"

namespace weir::detail {
namespace {

/// Is it Weir's word for "I was told to stop"?
[[nodiscard]] bool is_stop(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::system_error& e) {
    return e.code() == errc::cancelled || e.code() == errc::deadline_exceeded;
  } catch (...) {
    return false;
  }
}

}  // namespace

verdict pool_core::judge(job& j, std::exception_ptr error, const context& own) {
  if (!error && !own.cancelled()) return verdict::done;
  const bool stopped = own.cancelled() || ctx_.cancelled();
  if (stopped && own.error() == errc::deadline_exceeded && &own != &ctx_ &&
      (!j.extras || !j.extras->ctx || !j.extras->ctx->cancelled()) && !ctx_.cancelled()) {
    error = job_error(errc::deadline_exceeded);  // its own timeout: too late, whatever it returned
  } else if (!error) {
    return verdict::done;
  } else if (stopped && is_stop(error)) {
    j.last_error = std::move(error);
    return verdict::cancelled;
  }
  if (!ctx_.cancelled() && wants_retry(j, error)) return verdict::again;
  if (j.posted) report_uncaught("a posted job", j.name(), error);
  j.last_error = std::move(error);
  return verdict::failed;
}

bool pool_core::wants_retry(job& j, const std::exception_ptr& error) {
  if (!j.extras) return false;
  job_extras& extras = *j.extras;
  if (extras.ctx && extras.ctx->cancelled()) return false;
  if (++extras.attempts_made >= extras.retry.attempts) return false;
  try {
    return !extras.retry.retry_if || extras.retry.retry_if(error);
  } catch (...) {
    return false;  // a question that fails is no reason to try again
  }
}

/// Lets the job wait for its next attempt; it is in retrying_, or was: a reference is ours.
void pool_core::try_later(job& j) {
  const ref<job> kept = ref<job>::adopt(&j);
  // Since it was judged its end may have come, and found it running.
  if (const std::error_code end = no_next_attempt(j)) {
    cancel_queued(j, end);
    return;
  }
  constexpr std::uint32_t steps = 1U << 20U;
  const double r = static_cast<double>(random_below(steps)) / steps;
  const int attempt = j.extras->attempts_made;
  const auto delay = retry_delay(j.extras->retry, attempt, r);
  ref<shared_object> timer;
  try {
    timer = call_later(timekeeper(), delay, [link = link_, kept] {
      if (const ref<pool_core> core = link->core()) core->try_again(*kept);
    });
  } catch (...) {
    try_again(j);  // no timer can be had, or its runtime has just ended: now, then
    return;
  }
  {
    const std::lock_guard lock(lock_);
    if (j.state == job_state::retrying && j.extras->attempts_made == attempt) {
      std::swap(j.extras->timer, timer);  // (the last attempt's ends below, not under the lock)
      return;
    }
  }
  call_never(*timer);  // it has been withdrawn
}

/// Why there is no next attempt of a job that waits for it; none if there is.
std::error_code pool_core::no_next_attempt(const job& j) {
  {
    const std::lock_guard lock(lock_);
    if (stopped_) return errc::cancelled;
  }
  return j.extras->ctx ? j.extras->ctx->error() : std::error_code();
}

void pool_core::try_again(job& j) {
  wake_batch wakes;
  std::optional<channel<std::monostate>> signal;
  lock();
  if (j.state != job_state::retrying) {  // stopped meanwhile
    unlock();
    return;
  }
  leave_retrying(j);
  enqueue(j);
  const todo rest = settle(wakes);
  if (awaited_job* const a = j.awaited(); a != nullptr && j.state == job_state::queued) {
    a->stir(wakes, signal);  // a job that waits for it may run it
  }
  unlock();
  if (signal) signal->close();
  after_settling(wakes, rest);
}

void pool_core::report_uncaught(const char* what, const std::string* name,
                                const std::exception_ptr& error) noexcept {
  try {
    if (options_.on_uncaught) {
      options_.on_uncaught(error);
      return;
    }
    const std::string who = "weir: pool \"" + options_.name + "\": " + what +
                            (name != nullptr ? " \"" + *name + "\"" : std::string());
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s threw: %s\n", who.c_str(), e.what());
    } catch (...) {
      std::fprintf(stderr, "%s threw something that is no std::exception\n", who.c_str());
    }
  } catch (...) {  // a handler that throws, or no memory to speak with: stats() has counted a job
    std::fprintf(stderr, "weir: pool: the exception of %s could not be reported\n", what);
  }
}

}  // namespace weir::detail
