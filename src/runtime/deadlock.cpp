// SPDX-License-Identifier: MIT
#include "runtime/deadlock.hpp"

#include <sys/stat.h>

#include <cstdlib>
#include <iostream>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "runtime/blocking.hpp"
#include "runtime/dump.hpp"
#include "runtime/monitor.hpp"
#include "runtime/runtime_core.hpp"
#include "weir/debug.hpp"

namespace weir {
namespace detail {
namespace {

std::atomic<on_deadlock> wanted_reaction{on_deadlock::end_program};
std::atomic<bool> reported{false};

std::string_view environments_word() noexcept {
  const char* text = std::getenv("WEIR_DEADLOCK");
  return text != nullptr ? text : "";
}

std::optional<on_deadlock> action_named(std::string_view word) noexcept {
  if (word == "end_program") return on_deadlock::end_program;
  if (word == "report") return on_deadlock::report;
  if (word == "ignore") return on_deadlock::ignore;
  return std::nullopt;
}

/// What the environment said when a runtime was last made, or when the program began. Who looks for
/// a deadlock does so at any time, on a thread of Weir's, too: a program that changes its
/// environment there, where it knows of no other thread, must not find it read.
std::atomic<std::optional<on_deadlock>> environments{action_named(environments_word())};

on_deadlock what_to_do() {
  // Ordering: relaxed; settings.
  return environments.load(std::memory_order_relaxed)
      .value_or(wanted_reaction.load(std::memory_order_relaxed));
}

/// How many threads this process has; -1 if that cannot be said.
long count_threads() noexcept {
  struct stat folder {};
  if (stat("/proc/self/task", &folder) != 0) return -1;
  return static_cast<long>(folder.st_nlink) - 2;  // "." and ".." are the other links
}

/// What there is, and how much has happened so far: if the latter is the same before and after, the
/// former was all true at one instant.
struct situation {
  long sleeping_threads = 0;
  std::uint64_t waiting = 0;  // tasks and threads
  std::uint64_t happened = 0;
  bool may_go_on = false;  // a timer, a call, or mail
};

situation look() {
  situation s;
  registry& all = registry::instance();
  s.sleeping_threads = monitor::instance().sleeping_threads() + idle_blocking_threads();
  s.happened = all.thread_waits();
  all.for_each_runtime([&](runtime_core& core) {
    core.describe_rest(s.sleeping_threads, s.waiting, s.happened, s.may_go_on);
  });
  all.for_each_thread([&](const thread_wait& w) {
    // Ordering: acquire; pairs with the waker's exchange: what it did before is counted by now.
    if (w.word->load(std::memory_order_acquire) != w.asleep) return;
    s.sleeping_threads += 1;
    s.waiting += 1;
  });
  return s;
}

[[nodiscard]] bool is_deadlock(int own_carriers) noexcept {
  try {
    const situation before = look();
    if (before.may_go_on || before.waiting == 0) return false;
    const long all = count_threads();
    if (before.sleeping_threads + own_carriers != all) return false;
    const situation after = look();
    return !after.may_go_on && after.happened == before.happened &&
           after.sleeping_threads == before.sleeping_threads && count_threads() == all;
  } catch (const std::bad_alloc&) {
    return false;  // not known: perhaps next time
  }
}

void keep_all_going() noexcept {
  try {
    registry::instance().for_each_runtime([](runtime_core& core) { (void)core.keep_going(); });
  } catch (const std::bad_alloc&) {  // NOLINT: next time
  }
}

}  // namespace

void read_deadlock_setting() {
  const std::string_view word = environments_word();
  const std::optional<on_deadlock> action = action_named(word);
  if (word.empty() || action) {
    // Ordering: relaxed; a setting.
    environments.store(action, std::memory_order_relaxed);
    return;
  }
  throw std::invalid_argument("weir: WEIR_DEADLOCK is \"" + std::string(word) +
                              "\". Set it to end_program, report or ignore, or not at all.");
}

void check_deadlock(int own_carriers) noexcept {
  const on_deadlock action = what_to_do();
  // (If the system had no thread for the monitor either, this is who tries again.)
  keep_all_going();
  if (action == on_deadlock::ignore || !is_deadlock(own_carriers)) return;
  // Ordering: relaxed; only one of two who find it at a time says so.
  if (reported.exchange(true, std::memory_order_relaxed)) return;
  std::cerr << "weir: every task and every thread waits, and nothing can wake one (deadlock):\n";
  try_dump_everything(std::cerr);
  if (action == on_deadlock::end_program) std::abort();
}

}  // namespace detail

void set_on_deadlock(on_deadlock what) noexcept {
  // Ordering: relaxed; a setting.
  detail::wanted_reaction.store(what, std::memory_order_relaxed);
}

}  // namespace weir
