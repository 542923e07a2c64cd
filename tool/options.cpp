// SPDX-License-Identifier: MIT
#include "options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "error.hpp"
#include "weir/runtime.hpp"
#include "weir/version.hpp"

namespace weir::tool {
namespace {

constexpr int jobs_max = 65536;
constexpr double grace_max_seconds = 86400;

constexpr std::string_view general_help =
    R"(weir: a bounded worker pool for the command line

Usage: weir run [options] [--] command [argument...]
       weir --help | --version

  run   Runs the command once for each line of standard input, several at a time.
        `weir run --help` says more.
)";

constexpr std::string_view run_footer = R"(
Each line of standard input is a job. Every {} in the command is replaced by the line, without a
shell; where there is no {}, the line is added as the last argument. The output of a job is printed
as a whole when it ends. Jobs read /dev/null, and find their number in WEIR_JOB.

Exit status: 0 all jobs succeeded; 1-100 so many failed; 101 more failed; 125 weir itself failed;
126, 127 the command cannot be run, is not found; 129, 130, 143 stopped by SIGHUP, SIGINT, SIGTERM;
141 nobody reads the output any more.

  find . -name '*.jpg' | weir run -j 4 -- convert {} {}.png)";

/// What was given, before it is checked.
struct raw_options {
  std::string jobs;
  std::string grace;
  bool null = false;
  bool quiet = false;
  bool summary = false;
};

/// The whole of `text` as a number of type N; empty when it is not one.
template <class N>
std::optional<N> number(const std::string& text) {
  N value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

int default_jobs() {
  try {
    return std::min(default_carriers(), jobs_max);
  } catch (const std::invalid_argument&) {
    throw tool_error(
        {"WEIR_CARRIERS",
         fmt::format("'{}' is not a number of processors", std::getenv("WEIR_CARRIERS")),
         "Set it to a number from 1 to 1024, or not at all"});
  }
}

/// The library would refuse a wrong word, too: later, and in the words of a library.
void check_deadlock_word() {
  try {
    const runtime asked({.carriers = 1});  // it starts nothing
  } catch (const std::invalid_argument&) {
    throw tool_error(
        {"WEIR_DEADLOCK",
         fmt::format("'{}' is not what to do in a deadlock", std::getenv("WEIR_DEADLOCK")),
         "Set it to end_program, report or ignore, or not at all"});
  }
}

int checked_jobs(const std::string& text) {
  const auto jobs = number<int>(text);
  if (!jobs || *jobs < 1 || *jobs > jobs_max) {
    throw tool_error({"--jobs",
                      fmt::format("'{}' is not a whole number from 1 to {}", text, jobs_max),
                      "Give the number of jobs to run at once, as in -j 4"});
  }
  return *jobs;
}

std::chrono::milliseconds checked_grace(const std::string& text) {
  const auto seconds = number<double>(text);
  if (!seconds || !(*seconds >= 0) || *seconds > grace_max_seconds) {
    throw tool_error(
        {"--grace",
         fmt::format("'{}' is not a number of seconds from 0 to {}", text, grace_max_seconds),
         "Give the seconds between SIGTERM and SIGKILL, as in --grace 0.5"});
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(*seconds * 1000));
}

void describe(CLI::App& app, raw_options& raw) {
  app.name("weir run");
  app.footer(std::string(run_footer));
  app.prefix_command();
  app.set_help_flag("-h,--help", "Print this help");
  app.add_option("-j,--jobs", raw.jobs, "Jobs at once, 1 to 65536 (default: the usable CPUs)")
      ->type_name("N")
      ->take_last();
  app.add_flag("-0,--null", raw.null, "Records of the input end with NUL, not with newline");
  app.add_option("--grace", raw.grace, "Seconds from SIGTERM to SIGKILL when stopping (default: 2)")
      ->type_name("SECONDS")
      ->take_last();
  app.add_flag("-q,--quiet", raw.quiet, "No line on standard error for a job that failed");
  app.add_flag("--summary", raw.summary, "Print figures on standard error at the end");
}

/// The command: everything from the first argument that is no option of ours, or that follows `--`.
std::vector<std::string> command_of(const CLI::App& app) {
  std::vector<std::string> command = app.remaining();
  if (!command.empty() && command.front() == "--") {
    command.erase(command.begin());
  } else if (!command.empty() && command.front().starts_with('-')) {
    throw tool_error({command.front(), "is not an option of weir run", "See weir run --help"});
  }
  if (command.empty()) {
    throw tool_error({"run", "no command is given", "Say what to run, as in weir run -- echo {}"});
  }
  return command;
}

/// Was that option, which has a value, given? Throws if it was more than once.
bool given(const CLI::App& app, const char* option) {
  const std::size_t times = app.count(option);
  if (times > 1) throw tool_error({option, "it is given more than once", "Give it once"});
  return times == 1;
}

std::string help_of(const CLI::App& app) {
  constexpr std::string_view short_usage = "weir run [OPTIONS]";
  std::string text = app.help();
  const std::size_t at = text.find(short_usage);
  if (at == std::string::npos) return text;
  return text.replace(at, short_usage.size(), "weir run [options] [--] command [argument...]");
}

command_line parse_run(std::vector<std::string> arguments) {
  CLI::App app("Runs a command once for each line of standard input, several at a time.");
  raw_options raw;
  describe(app, raw);
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    return {std::nullopt, help_of(app)};
  } catch (const CLI::ArgumentMismatch& e) {
    const std::string_view text = e.what();  // "--jobs: 1 required N missing"
    throw tool_error(
        {text.substr(0, text.find(':')), "its value is missing", "See weir run --help"});
  } catch (const CLI::ParseError& e) {
    throw tool_error({"run", e.what(), "See weir run --help"});
  }
  check_deadlock_word();
  run_options options;
  options.jobs = given(app, "--jobs") ? checked_jobs(raw.jobs) : default_jobs();
  if (given(app, "--grace")) options.grace = checked_grace(raw.grace);
  options.ends = raw.null ? separator::null : separator::newline;
  options.quiet = raw.quiet;
  options.summary = raw.summary;
  options.command = command_of(app);
  return {std::move(options), {}};
}

}  // namespace

command_line parse_command_line(int argc, const char* const* argv) {
  const std::vector<std::string> all(argv + std::min(argc, 1), argv + argc);
  if (all.empty()) throw tool_error({"no subcommand", "there is nothing to do", "See weir --help"});
  const std::string& verb = all.front();
  if (verb == "-h" || verb == "--help" || verb == "help") {
    return {std::nullopt, std::string(general_help)};
  }
  if (verb == "--version") return {std::nullopt, fmt::format("weir {}\n", version)};
  if (verb == "run") return parse_run({all.begin() + 1, all.end()});
  throw tool_error({verb, "is not something weir knows", "See weir --help"});
}

}  // namespace weir::tool
