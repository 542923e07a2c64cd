// SPDX-License-Identifier: MIT
#include "runtime/dump.hpp"

#include <cstdio>
#include <fstream>
#include <new>
#include <ostream>
#include <sstream>
#include <vector>

#include "runtime/runtime_core.hpp"

namespace weir::detail {

std::string describe_task(const task& t) {
  char text[64 + task::name_size];
  const bool named = t.name[0] != '\0';
  std::snprintf(text, sizeof text, "task %llu%s%.31s%s",
                static_cast<unsigned long long>(std::uint64_t{t.id}), named ? " '" : "", t.name,
                named ? "'" : "");
  return text;
}

std::string describe_duration(time_ns d) {
  struct unit {
    time_ns size;
    const char* name;
  };
  constexpr unit units[] = {{3'600'000'000'000, "h"}, {60'000'000'000, "min"}, {1'000'000'000, "s"},
                            {1'000'000, "ms"},        {1'000, "us"},           {1, "ns"}};
  for (const unit& u : units) {
    if (d >= u.size) return std::to_string(d / u.size) + ' ' + u.name;
  }
  return "0 s";
}

std::string describe_wait(const wait_kind& kind, const void* object, std::size_t amount,
                          time_ns waited) {
  std::string text = kind.verb;
  char number[32];
  if (object != nullptr) {
    std::snprintf(number, sizeof number, " %p", object);
    text += number;
  }
  if (kind.measure != nullptr) {
    text += std::string(" (") + kind.measure + ' ' + std::to_string(amount) + ')';
  }
  constexpr time_ns worth_telling = 1'000'000;
  if (waited >= worth_telling) text += ", " + describe_duration(waited);
  return text;
}

namespace {

/// Its fields may change while it is read: each is right by itself.
std::string state_of(const task& t, time_ns now) {
  if (const wait_kind* kind = t.waits) {
    return describe_wait(*kind, t.wait_object, t.wait_amount, now - t.wait_since);
  }
  return t.parked ? "ready" : "running";
}

}  // namespace

std::size_t list_tasks(runtime_core& core, std::ostream& out) {
  std::size_t n = 0;
  const time_ns now = core.clock.now();
  core.stacks.for_each([&](const task& t) {
    if (!t.alive) return;
    ++n;
    out << "\n    " << describe_task(t) << ": " << state_of(t, now);
  });
  return n;
}

namespace {

std::string describe_thread(pid_t id) {
  std::string text = "thread " + std::to_string(id);
  std::ifstream file("/proc/self/task/" + std::to_string(id) + "/comm");
  std::string name;
  if (std::getline(file, name)) text += " '" + name + "'";
  return text;
}

}  // namespace

void dump_everything(std::ostream& out) {
  std::ostringstream list;
  std::size_t tasks = 0;
  std::size_t threads = 0;
  registry& all = registry::instance();
  all.for_each_runtime([&](runtime_core& core) { tasks += list_tasks(core, list); });
  all.for_each_thread([&](const thread_wait& w) {
    ++threads;
    list << "\n    " << describe_thread(w.thread) << ": "
         << describe_wait(*w.why.kind, w.why.object, w.why.amount, steady_now() - w.since);
  });
  out << "  " << tasks << (tasks == 1 ? " task, " : " tasks, ") << threads
      << (threads == 1 ? " waiting thread" : " waiting threads") << list.str() << '\n'
      << std::flush;
}

void try_dump_everything(std::ostream& out) noexcept {
  try {
    dump_everything(out);
  } catch (const std::bad_alloc&) {
    out << "  (no memory for the list)\n" << std::flush;
  }
}

}  // namespace weir::detail
