// SPDX-License-Identifier: MIT
#include "weir/task_group.hpp"

#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>

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
  spin_lock lock;  // guards first_error
  std::exception_ptr first_error;
};

bool enter_group(task_group_state& g, bool wait) {
  if (g.ctx.cancelled()) return false;
  if (g.places) {
    const bool entered = wait ? g.places->acquire(g.ctx) : g.places->try_acquire();
    if (!entered) return false;
  }
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
}  // namespace
}  // namespace detail

task_group::task_group(const context& parent, task_group_options options)
    : state_(std::make_shared<detail::task_group_state>(with_cancel(parent),
                                                        detail::checked_limit(options.limit))) {}

task_group::~task_group() { state_->running.wait(); }

void task_group::wait() {
  state_->running.wait();
  state_->cancel();
  std::exception_ptr error;
  {
    const std::lock_guard lock(state_->lock);
    error = std::exchange(state_->first_error, nullptr);
  }
  if (error) std::rethrow_exception(error);
}

void task_group::cancel() { state_->cancel(); }

const context& task_group::ctx() const noexcept { return state_->ctx; }

}  // namespace weir
