// SPDX-License-Identifier: MIT
#include "weir/task_group.hpp"

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "runtime/process.hpp"
#include "runtime/relaxed.hpp"
#include "runtime/runtime_core.hpp"
#include "weir/channel.hpp"
#include "weir/sync.hpp"

namespace weir {
namespace detail {

struct task_group_state {
  task_group_state(cancellable_context c, std::int64_t limit)
      : ctx(std::move(c.ctx)), cancel(std::move(c.cancel)) {
    if (limit > 0) places.emplace(limit);
  }

  const context ctx;
  const cancel_func cancel;
  const wait_group running;
  std::optional<semaphore> places;
  relaxed<const runtime_core*> latest{nullptr};      // of those in `where`; only compared
  spin_lock lock;                                    // guards the rest
  std::vector<std::shared_ptr<runtime_core>> where;  // all that tasks were started on
  std::exception_ptr first_error;
  bool dismissed = false;  // by cancel()
  bool refused = false;    // go() has not started a function, which nobody had dismissed
  bool over = false;       // wait() has returned, or is about to
};

namespace {
/// The group's context is done.
void refuse(task_group_state& g, group_entry how) {
  const std::lock_guard lock(g.lock);
  if (g.over) {
    throw std::logic_error(
        "weir::task_group: go() after wait() has returned. A group is for one use: make another.");
  }
  if (how == group_entry::waits && !g.dismissed) g.refused = true;
}

/// A task is about to be started here.
void note_where(task_group_state& g) {
  runtime_core& rt = runtime_core::current();
  if (g.latest == &rt) return;
  auto kept = rt.shared_from_this();
  const std::lock_guard lock(g.lock);
  if (std::ranges::find(g.where, kept) == g.where.end()) g.where.push_back(std::move(kept));
  g.latest = &rt;
}

/// All runtimes that have its tasks have ended before them, or the process ends.
bool has_lost_its_tasks(task_group_state& g) noexcept {
  for (std::size_t i = 0;; ++i) {
    std::shared_ptr<runtime_core> rt;
    {
      const std::lock_guard lock(g.lock);
      if (i == g.where.size()) return i > 0;
      rt = g.where[i];
    }
    if (!rt->is_lost()) return false;
  }
}
}  // namespace

bool enter_group(task_group_state& g, group_entry how) {
  const bool waits = how == group_entry::waits;
  if (!g.ctx.cancelled()) note_where(g);
  if (g.ctx.cancelled() || (waits && g.places && !g.places->acquire(g.ctx))) {
    refuse(g, how);
    return false;
  }
  if (!waits && g.places && !g.places->try_acquire()) return false;
  g.running.add();
  return true;
}

void leave_group(task_group_state& g, std::exception_ptr error) noexcept {
  if (error) {
    bool first = false;
    {
      const std::lock_guard lock(g.lock);
      first = !g.first_error;
      if (first) g.first_error = error;
    }
    if (first) g.cancel(error);
  }
  if (g.places) g.places->release();
  g.running.done();
}

const context& group_context(const task_group_state& g) noexcept { return g.ctx; }

namespace {
std::int64_t checked_limit(std::int64_t limit) {
  if (limit < 0) {
    throw std::invalid_argument("weir::task_group: limit " + std::to_string(limit) +
                                " is negative. Use 0 for no limit.");
  }
  return limit;
}

/// Every task has ended.
void end_group(task_group_state& g) {
  std::exception_ptr error;
  bool refused = false;
  {
    const std::lock_guard lock(g.lock);
    g.over = true;
    error = g.first_error;
    refused = g.refused;
  }
  g.cancel();
  if (error) std::rethrow_exception(error);
  if (refused) {
    throw std::system_error(g.ctx.error(), "weir::task_group: not every function was started");
  }
}
}  // namespace
}  // namespace detail

task_group::task_group(const context& parent, task_group_options options)
    : state_(std::make_shared<detail::task_group_state>(with_cancel(parent),
                                                        detail::checked_limit(options.limit))) {}

task_group::~task_group() {
  // In a forked child there is nobody to wait for: its tasks are the parent's. Else they hold what
  // they use of the group.
  if (!detail::forked() && !detail::has_lost_its_tasks(*state_)) state_->running.wait();
}

void task_group::wait() {
  state_->running.wait();
  detail::end_group(*state_);
}

bool task_group::wait(const context& until) {
  if (!state_->running.wait(until)) return false;
  detail::end_group(*state_);
  return true;
}

void task_group::cancel() {
  {
    const std::lock_guard lock(state_->lock);
    state_->dismissed = true;
  }
  state_->cancel();
}

const context& task_group::ctx() const noexcept { return state_->ctx; }

}  // namespace weir
