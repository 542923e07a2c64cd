// SPDX-License-Identifier: MIT
#include "weir/runtime.hpp"

#include <exception>
#include <mutex>
#include <stdexcept>

#include "runtime/runtime_core.hpp"
#include "sync/wait.hpp"

namespace weir {

using namespace detail;

namespace {
constexpr wait_kind shutdown_wait{"shutdown of runtime"};
}

runtime::runtime(runtime_options options) : core_(runtime_core::make(options)) {}

runtime::~runtime() {
  if (core_->generation() != fork_generation()) {
    // A forked child: the carriers are in the parent, and may have held any lock.
    core_->stay();
    return;
  }
  if (const carrier* c = carrier::current(); c != nullptr && &c->rt == core_.get()) {
    std::terminate();  // it would wait for itself
  }
  const bool all_ended = core_->stopping() ? core_->live_tasks() == 0 : shutdown();
  if (all_ended) {
    core_->join();
    ordered_after(&core_->ids);
  } else {
    core_->let_go();  // a failed shutdown() has abandoned what they may be running
  }
}

bool runtime::shutdown(const context& ctx) {
  runtime_core& core = *core_;
  core.check_fork();
  if (carrier::current_task() != nullptr && &carrier::current()->rt == &core) {
    throw std::logic_error("weir: shutdown() in one of the runtime's own tasks waits for itself");
  }
  core.begin_shutdown();
  bool drained = true;
  do {
    core.drain_lock.lock();
    if (core.live_tasks() == 0) {
      core.drain_lock.unlock();
    } else if (core.stopping()) {  // another shutdown() has given up
      core.drain_lock.unlock();
      return false;
    } else {
      wait_node node;
      drained = wait_in(core.drain_lock, core.drain_waiters, node, &ctx,
                        {.kind = &shutdown_wait, .object = &core});
    }
  } while (drained && !core.stop_if_drained());
  core.tell_listeners();  // before its tasks are abandoned: what they take now would be lost
  if (drained) {
    ordered_after(&core.ids);
  } else {
    core.abandon();
  }
  core.timers->close();
  return drained;
}

int runtime::carriers() const noexcept { return core_->limit; }

std::size_t runtime::tasks() const noexcept {
  return static_cast<std::size_t>(core_->live_tasks());
}

}  // namespace weir
