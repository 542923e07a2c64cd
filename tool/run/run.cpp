// SPDX-License-Identifier: MIT
#include "run/run.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "error.hpp"
#include "run/command.hpp"
#include "run/open_files.hpp"
#include "run/printer.hpp"
#include "run/reader.hpp"
#include "run/signals.hpp"
#include "run/summary.hpp"
#include "run/warden.hpp"
#include "standard_streams.hpp"
#include "weir/channel.hpp"
#include "weir/context.hpp"
#include "weir/go.hpp"
#include "weir/runtime.hpp"
#include "weir/sync.hpp"

namespace weir::tool {
namespace {

constexpr std::size_t waiting_results_max = 64;

/// What the workers share.
struct workshop {
  const command_template& command;
  warden& children;
  const context& ctx;
  channel<job> jobs;
  channel<outcome> results;
  wait_group workers;
  int places;  // workers at most
};

/// Why a record cannot be an argument; empty if it can.
std::string not_an_argument(const job& next) {
  if (next.length > next.record.size()) {
    return fmt::format("a record of {} bytes, an argument has at most {}", next.length,
                       argument_bytes_max);
  }
  if (next.record.find('\0') != std::string::npos) {
    return "a line with a NUL byte, which ends an argument; was --null meant?";
  }
  return {};
}

outcome do_job(const workshop& shop, const job& next) {
  outcome end;
  end.number = next.number;
  end.how = ending::not_started;
  end.why = not_an_argument(next);
  if (end.why.empty()) {
    prepared_command command = shop.command.expand(next.record);
    if (command.lookup_error == 0)
      end = shop.children.run(command, next.number);
    else
      end.why = std::strerror(command.lookup_error);
  }
  if (end.failed()) end.command = shop.command.describe(next.record);
  return end;
}

/// Starts a worker; it starts the next one as soon as it has a job. So there are no more workers
/// than jobs, however many are allowed.
void start_worker(workshop& shop, int number) {
  shop.workers.go([&shop, number] {
    try {
      bool first = true;
      while (auto next = shop.jobs.receive(shop.ctx)) {
        if (std::exchange(first, false) && number < shop.places) start_worker(shop, number + 1);
        shop.results.send(do_job(shop, *next));
      }
    } catch (...) {
      shop.children.fail(caught());
    }
  });
}

/// Lets the workers work, and prints what they bring. Whatever fails, none is left when it returns.
void work(workshop& shop, printer& output) {
  shop.workers.add(1);  // this function is one of them until the first has started
  go([workers = shop.workers, results = shop.results] {
    workers.wait();
    results.close();
  });
  try {
    start_worker(shop, 1);
  } catch (...) {
    shop.children.fail(caught());
  }
  shop.workers.done();
  for (const outcome& end : shop.results) output.print(end);
}

/// Memory for each of a job's two streams: a megabyte a job, less when there are very many jobs.
std::size_t memory_for(int jobs) {
  constexpr std::size_t all_bytes = std::size_t{256} << 20;
  constexpr std::size_t job_bytes_max = std::size_t{1} << 20;
  constexpr std::size_t job_bytes_min = std::size_t{16} << 10;
  return std::clamp(all_bytes / static_cast<std::size_t>(jobs), job_bytes_min, job_bytes_max) / 2;
}

void say(const std::string& line) { (void)write_all(STDERR_FILENO, line); }

void say_if_fewer(int jobs, const file_budget& files) {
  if (files.jobs >= jobs) return;
  say(
      fmt::format("weir: --jobs {}: needs {} open files, the limit is {}. "
                  "Running {} at once; raise it with ulimit -n.\n",
                  jobs, files.needed, files.limit, files.jobs));
}

/// Says how far a run came that a signal stopped.
void report_stop(const warden& children, const reader& input, const tally& counted) {
  if (children.cause() != stop_cause::signal) return;
  const std::uint64_t left = input.jobs_read() - counted.done - counted.stopped;
  say(fmt::format("weir: stopped by {}: {} jobs done, {} stopped, {} not run{}.\n",
                  signal_name(children.stop_signal()), counted.done, counted.stopped, left,
                  input.at_end() ? "" : ", and the rest of the input not read"));
}

void throw_if_broken(const warden& children, const reader& input) {
  if (children.failure()) throw tool_error(*children.failure());
  if (input.error() != 0) {
    throw tool_error(
        {"standard input", std::strerror(input.error()), "Jobs up to there have been run"});
  }
}

int status_of(const warden& children, const tally& counted) {
  switch (children.cause()) {
    case stop_cause::signal: return status_signal + children.stop_signal();
    case stop_cause::output_closed: return status_signal + SIGPIPE;
    default: return static_cast<int>(std::min<std::uint64_t>(counted.failed, status_most_failures));
  }
}

int run_jobs(const run_options& options, const command_template& command, const file_budget& files,
             const signal_events& signals) {
  const stopwatch watch;
  auto [ctx, cancel] = with_cancel(background());
  warden children({options.grace, memory_for(files.jobs), files}, signals, cancel);
  say_if_fewer(options.jobs, files);  // now that signals are taken: it may have to wait
  const auto places = static_cast<std::size_t>(files.jobs);
  workshop shop{command,
                children,
                ctx,
                channel<job>{2 * places},
                channel<outcome>{std::min(places, waiting_results_max)},
                {},
                files.jobs};
  reader input(ctx, options.ends, shop.jobs);
  printer output(options, children);

  work(shop, output);
  input.finish();
  children.finish();
  signals.give_back();  // what follows may have to wait for who reads it

  report_stop(children, input, output.counted());
  if (options.summary) say(watch.summary(output.counted().done, output.counted().failed));
  throw_if_broken(children, input);
  return status_of(children, output.counted());
}

}  // namespace

int run(const run_options& options) {
  const command_template command(options.command);
  const file_budget files = make_room_for(options.jobs);
  const signal_events signals;
  // One carrier, this thread: the tasks only pass notes, the cores belong to the children.
  runtime tasks({.carriers = 1});
  return tasks.run([&] { return run_jobs(options, command, files, signals); });
}

}  // namespace weir::tool
