// SPDX-License-Identifier: MIT
#include "run.hpp"

#include <fmt/core.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <weir/weir.hpp>

#include "child.hpp"
#include "reader.hpp"
#include "signals.hpp"

namespace weir::tool {
namespace {

struct tally {
  std::uint64_t done = 0;
  std::uint64_t failed = 0;
  std::uint64_t stopped = 0;
  bool reader_gone = false;  // whoever read our output has had enough: head
  bool output_lost = false;
};

void say(const std::string& line) { (void)write_all(STDERR_FILENO, "weir: " + line + "\n"); }

/// Each child takes a few descriptors of ours while it runs.
void make_room_for_descriptors(int jobs) {
  const auto wanted = static_cast<rlim_t>(jobs) * 8 + 64;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
  const rlimit raised{.rlim_cur = std::min(wanted, limit.rlim_max), .rlim_max = limit.rlim_max};
  if (::setrlimit(RLIMIT_NOFILE, &raised) == 0 && raised.rlim_cur >= wanted) return;
  throw user_error(fmt::format(
      "--jobs {}: needs {} file descriptors, and {} are allowed. Use fewer jobs, or raise ulimit -n.",
      jobs, wanted, limit.rlim_max));
}

/// Records become jobs. Stops reading while the channel is full: that is the whole backpressure.
void read_jobs(const weir::context& ctx, const weir::channel<job>& jobs, int stop_fd,
               char separator) {
  record_reader reader(STDIN_FILENO, stop_fd, separator);
  for (std::uint64_t number = 1;; ++number) {
    auto record = reader.next(false);
    // Only what may really block leaves the carrier: one hop for a buffer full of records.
    if (!record && reader.would_block()) record = weir::blocking([&] { return reader.next(true); });
    if (!record || !jobs.send(ctx, job{number, std::move(*record)})) break;
  }
}

/// Prints an outcome as a whole; false if standard output takes no more.
bool print(const outcome& o, const run_options& options, tally& t) {
  ++t.done;
  const std::error_code out = o.out.copy_to(STDOUT_FILENO);
  const std::error_code err = o.err.copy_to(STDERR_FILENO);
  if (!o.problem.empty()) {
    ++(o.stopped ? t.stopped : t.failed);
    if (!options.quiet && !o.stopped) {
      say(fmt::format("job {} failed: {}: {}", o.number, o.problem, o.command));
    }
  }
  if (!out && !err) return true;
  if (out == std::errc::broken_pipe) {
    t.reader_gone = true;
    return false;
  }
  t.output_lost = true;
  if (out) {
    say(fmt::format("cannot write the output of job {}: {}", o.number, out.message()));
  }
  return false;
}

void say_summary(const tally& t, std::chrono::duration<double> spent) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  say(fmt::format("{} jobs, {} failed, {:.2f} s, {:.0f} jobs/s, peak {} KiB", t.done, t.failed,
                  spent.count(), static_cast<double>(t.done) / std::max(spent.count(), 1e-9),
                  usage.ru_maxrss));
}

int status_of(const tally& t, int signal) {
  if (signal != 0) return status_signal + signal;
  if (t.reader_gone) return status_signal + SIGPIPE;  // what a program without a handler shows
  if (t.output_lost) return status_own_error;
  return static_cast<int>(std::min<std::uint64_t>(t.failed, status_many_failed));
}

/// The pipeline, inside a task: prints until every worker has ended.
void pump(const run_options& options, const weir::context& ctx, running_children& children,
          signal_guard& guard, tally& t) {
  const weir::channel<job> jobs{options.jobs};  // one waits for each that runs
  const weir::channel<outcome> outcomes{options.jobs};
  std::exception_ptr read_error;
  weir::wait_group reader;
  reader.go([&] {
    try {
      read_jobs(ctx, jobs, guard.stop_fd(), options.separator);
    } catch (...) {
      read_error = std::current_exception();
    }
    jobs.close();
  });
  const weir::wait_group workers;
  for (int i = 0; i < options.jobs; ++i) {
    workers.go([&, jobs, outcomes] {
      while (auto j = jobs.receive(ctx)) {
        outcome o =
            weir::blocking([&] { return run_child(*j, options.command, children); });
        o.stopped = ctx.cancelled();
        outcomes.send(std::move(o));  // without ctx: what a job has printed is not thrown away
      }
    });
  }
  weir::go([workers, outcomes] {
    workers.wait();
    outcomes.close();
  });
  bool writable = true;
  for (const outcome& o : outcomes) {
    // Writing may block for as long as our reader likes; the jobs go on until the channel is full.
    if (writable) writable = weir::blocking([&] { return print(o, options, t); });
    if (!writable) guard.stop_now();
  }
  reader.wait();
  if (read_error) std::rethrow_exception(read_error);
}

}  // namespace

int run(const run_options& options) {
  check_command(options.command.front());
  make_room_for_descriptors(options.jobs);
  const auto start = std::chrono::steady_clock::now();
  running_children children;
  tally t;
  auto [ctx, cancel] = weir::with_cancel(weir::background());
  signal_guard guard(cancel, children, options.grace);
  weir::run([&, ctx = ctx] { pump(options, ctx, children, guard, t); });
  const int signal = guard.received();
  if (signal != 0) {
    say(fmt::format("stopped by signal {}: {} jobs were stopped, the rest of the input was not run",
                    signal, t.stopped));
  }
  if (options.summary) say_summary(t, std::chrono::steady_clock::now() - start);
  return status_of(t, signal);
}

}  // namespace weir::tool
