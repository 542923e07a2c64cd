// SPDX-License-Identifier: MIT
#include "weir/detail/job.hpp"

#include <algorithm>
#include <iterator>
#include <mutex>
#include <stdexcept>

#include "pool/pool_core.hpp"
#include "sync/call_later.hpp"
#include "sync/wait.hpp"
#include "weir/future.hpp"

namespace weir {
namespace detail {
namespace {

constexpr wait_kind future_wait{"wait for the job of a future"};

}  // namespace

std::exception_ptr job_error(std::error_code why, const char* text) noexcept {
  try {
    throw std::system_error(why, text);
  } catch (...) {
    return std::current_exception();  // it, or that there is no memory for it
  }
}

void awaited_job::publish(std::exception_ptr error, wake_batch& wakes,
                          std::optional<channel<std::monostate>>& signal) noexcept {
  const std::lock_guard lock(lock_);
  error_ = std::move(error);
  done_ = true;
  pool_ = nullptr;
  while (wait_node* n = waiters_.claim_front()) wakes.add(*n);
  signal.swap(signal_);
}

void awaited_job::publish(std::exception_ptr error) noexcept {
  wake_batch wakes;
  std::optional<channel<std::monostate>> signal;
  publish(std::move(error), wakes, signal);
  wakes.wake_all();
  if (signal) signal->close();
}

void job::give_up(std::exception_ptr error) noexcept {
  drop_function();
  if (awaited_job* const a = awaited()) a->publish(std::move(error));
  end();
}

/// Both hold a reference of it.
void job::forget() noexcept {
  const after_func_handle watch = std::move(extras->watch);
  (void)watch.stop();
  const ref<shared_object> timer = std::move(extras->timer);
  if (timer) call_never(*timer);
}

void awaited_job::stir(wake_batch& wakes, std::optional<channel<std::monostate>>& signal) noexcept {
  const std::lock_guard lock(lock_);
  ++stirs_;
  while (wait_node* n = waiters_.claim_front()) wakes.add(*n);
  signal.swap(extras->again);  // who is tried again has some
}

/// The channel that is kept there, or is from now on; a closed one if what it tells has happened,
/// which is asked under the lock.
template <class Question>
receiver<std::monostate> awaited_job::signal_in(std::optional<channel<std::monostate>>& kept,
                                                Question has_happened) {
  channel<std::monostate> made;
  {
    const std::lock_guard lock(lock_);
    if (!has_happened()) {
      if (!kept) kept = made;
      return *kept;
    }
  }
  made.close();
  return made;
}

receiver<std::monostate> awaited_job::stirred(std::optional<std::uint32_t> seen) {
  if (!seen || extras == nullptr || extras->retry.attempts <= 1) return {};  // never
  return signal_in(extras->again, [&] { return stirs_ != *seen; });
}

bool awaited_job::done() noexcept {
  const std::lock_guard lock(lock_);
  return done_;
}

std::optional<std::uint32_t> awaited_job::run_if_queued() {
  std::uint32_t before = 0;
  ref<pool_core> in;
  {
    const std::lock_guard lock(lock_);
    before = stirs_;
    // A job that is not done keeps its pool from ending; once it is done, pool_ is null.
    in = ref<pool_core>::share(pool_);
  }
  if (!in || !in->help(*this)) return std::nullopt;
  return before;
}

bool awaited_job::wait(const context* until) {
  interruption_point("wait for a future");
  for (;;) {
    const std::optional<std::uint32_t> seen = run_if_queued();
    interruption_point("wait for a future, its job is with somebody");
    lock_.lock();
    if (done_ || (seen && stirs_ != *seen)) {  // (it may have been queued again since we looked)
      const bool over = done_;
      lock_.unlock();
      if (over) return true;
      continue;
    }
    wait_node node;
    if (!wait_in(lock_, waiters_, node, until, {.kind = &future_wait, .object = this})) {
      return false;
    }
  }
}

receiver<std::monostate> awaited_job::done_channel(bool may_run) {
  if (may_run) (void)run_if_queued();
  return signal_in(signal_, [&] { return done_; });
}

void throw_no_state() {
  throw std::logic_error(
      "weir::future: it has no job: default constructed, moved from, or get() "
      "was called before");
}

std::size_t wait_any_job(const std::vector<awaited_job*>& jobs, const context* until,
                         bool& in_time) {
  if (jobs.empty()) return 0;
  for (;;) {
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      if (jobs[i]->done()) return i;
    }
    std::vector<select_case> cases;
    std::vector<select_case> again;
    cases.reserve(2 * jobs.size() + 1);
    for (awaited_job* j : jobs) {
      const std::optional<std::uint32_t> seen = j->run_if_queued();
      if (j->done()) return cases.size();
      if (until != nullptr && until->cancelled()) {
        in_time = false;
        return jobs.size();
      }
      cases.emplace_back(on_receive(j->done_channel(false)));
      const auto stirred = j->stirred(seen);
      if (stirred.state() != nullptr) again.emplace_back(on_receive(stirred));
    }
    if (until != nullptr) cases.emplace_back(on_done(*until));
    const std::size_t first_again = cases.size();
    std::ranges::move(again, std::back_inserter(cases));
    const std::size_t first = select(cases);
    if (first < first_again || (until != nullptr && until->cancelled())) {
      in_time = first < jobs.size();
      return first;
    }
    // One is queued again, and may be run here.
  }
}

}  // namespace detail

// ---- unrun_jobs -------------------------------------------------------------------------------

unrun_jobs& unrun_jobs::operator=(unrun_jobs&& other) noexcept {
  give_up();
  jobs_ = std::move(other.jobs_);
  report_ = std::move(other.report_);
  return *this;
}

unrun_jobs::~unrun_jobs() { give_up(); }

void unrun_jobs::give_up() noexcept {
  for (auto& j : jobs_) {
    if (j) j->give_up(detail::job_error(errc::cancelled));
  }
  jobs_.clear();
}

std::string unrun_jobs::name(std::size_t i) const {
  const auto& j = jobs_.at(i);
  return j && j->name() != nullptr ? *j->name() : std::string();
}

void unrun_jobs::run(std::size_t i) {
  detail::ref<detail::job>& j = jobs_.at(i);
  if (!j) throw std::logic_error("weir: unrun_jobs::run: this job has been run");
  if (j->wants_state) {
    throw std::logic_error("weir: unrun_jobs::run: this job needs its worker's State");
  }
  const auto mine = std::exchange(j, {});
  const bool has_context = mine->extras && mine->extras->ctx;
  std::exception_ptr error =
      mine->attempt(has_context ? *mine->extras->ctx : background(), nullptr);
  mine->drop_function();
  if (detail::awaited_job* const a = mine->awaited()) a->publish(std::exchange(error, nullptr));
  mine->end();
  if (error) std::rethrow_exception(error);
}

// ---- the pool's public face ---------------------------------------------------------------------

namespace detail {

pool_base::pool_base(const context& parent, pool_options options, make_state make)
    : core_(make_ref<pool_core>(parent, std::move(options), std::move(make))) {}

pool_base::~pool_base() {
  if (core_->has_lost_its_workers()) return;
  core_->close();
  core_->resume(true);
  (void)core_->wait(nullptr);
  core_->join();
}

void pool_base::close() const { core_->close(); }
void pool_base::wait() const { (void)core_->wait(nullptr); }
bool pool_base::wait(const context& ctx) const { return !ctx.cancelled() && core_->wait(&ctx); }
unrun_jobs pool_base::stop(std::exception_ptr cause) const { return core_->stop(std::move(cause)); }
void pool_base::resize(worker_count n) const { core_->resize(n); }
void pool_base::pause() const { core_->pause(); }
void pool_base::resume() const { core_->resume(); }
pool_stats pool_base::stats() const { return core_->stats(); }
pool_timings pool_base::timings() const { return core_->timings(); }
pool_report pool_base::report() const { return core_->report(); }
int pool_base::workers() const { return core_->target(); }
std::size_t pool_base::memory_bound() const { return core_->memory_bound(); }
const context& pool_base::ctx() const noexcept { return core_->ctx(); }

bool pool_base::admit(ref<job> j, const context* until, bool may_wait) const {
  return core_->admit(j, until, may_wait);
}

bool pool_base::has_lost_its_runtime() const noexcept { return core_->has_lost_its_runtime(); }
bool pool_base::has_lost_its_workers() const noexcept { return core_->has_lost_its_workers(); }
void pool_base::cancel_too(cancel_func also) const { core_->cancel_too(std::move(also)); }

void pool_base::describe(job& j) const { core_->describe(j); }

void pool_base::describe(job& j, const context* ctx, job_options&& options) const {
  core_->describe(j, ctx, std::move(options));
}

}  // namespace detail
}  // namespace weir
