// SPDX-License-Identifier: MIT
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <unordered_set>

#include "runtime/director.hpp"
#include "runtime/dump.hpp"
#include "runtime/process.hpp"
#include "runtime/runtime_core.hpp"
#include "runtime/schedule.hpp"
#include "weir/testing.hpp"

namespace weir {

void require(bool condition, std::string_view what) {
  if (!condition) throw std::runtime_error(std::string(what));
}

void schedule_point(const char* before) { detail::interruption_point(before); }

namespace detail {
namespace {

/// How one run went.
struct run_record {
  std::vector<decision> decisions;
  std::uint64_t fingerprint = 0;
  std::string failure;  // empty: it went well
  std::exception_ptr cause;
  std::string story;  // what happened at the decisions that were not 0

  [[nodiscard]] bool failed() const noexcept { return !failure.empty(); }
  [[nodiscard]] deviations choices() const {
    deviations all;
    for (std::size_t i = 0; i < decisions.size(); ++i) {
      if (decisions[i].chosen != 0) all[i] = decisions[i].chosen;
    }
    return all;
  }
  [[nodiscard]] std::size_t preemptions() const noexcept {
    std::size_t n = 0;
    for (const decision& d : decisions) {
      n += d.kind == decision_kind::interrupt && d.chosen != 0 ? 1 : 0;
    }
    return n;
  }
};

/// What the options of all forms have in common.
struct run_limits {
  bool leftovers_allowed;
  bool time_may_pass;
  std::uint64_t steps_max;
  const std::function<std::string()>& verdict;
};

/// Takes a plan's decisions and writes them down. It is asked in the middle of operations, out of
/// which nothing may be thrown: without memory to write, the run is over.
class recorder final : public director {
 public:
  recorder(plan& p, const run_limits& limits, run_record& record, bool with_story)
      : plan_(p), limits_(limits), record_(record), with_story_(with_story) {}

  std::size_t interrupt(const task& running, const char* before, std::size_t others,
                        bool time_may_pass) override {
    const bool time = time_may_pass && limits_.time_may_pass;
    const auto n = static_cast<std::uint32_t>(1 + others + (time ? 1 : 0));
    const std::uint32_t chosen = decide(decision_kind::interrupt, n);
    if (chosen == 0) return 0;
    tell([&](std::ostream& out) {
      out << name_of(running) << " is stopped before: " << before;
      if (chosen > others) out << "; time passes";
    });
    return chosen;
  }
  std::size_t next(std::size_t ready) override {
    const std::uint32_t chosen = decide(decision_kind::next, static_cast<std::uint32_t>(ready));
    if (chosen != 0) tell([](std::ostream& out) { out << "before its turn"; });
    return chosen;
  }
  std::uint32_t draw(std::uint32_t n) override {
    const std::uint32_t chosen = decide(decision_kind::draw, n);
    if (chosen == 0) return 0;
    tell([&](std::ostream& out) { out << "a random choice is " << chosen << " of " << n; });
    return chosen;
  }
  void step() override {
    if (++steps_ >= limits_.steps_max) give_up();
  }
  void time_passes() override {
    step();
    // What a heartbeat leaves is known sooner.
    if (returned_ && ++times_since_ >= times_after_body) give_up();
  }
  void body_returned() noexcept { returned_ = true; }
  [[nodiscard]] bool returned() const noexcept { return returned_; }
  [[nodiscard]] bool gave_up() const noexcept { return gave_up_; }
  void switched_to(const task& next) override {
    mix(next.id);
    if (!with_story_) return;
    write([&] { record_.story += "; " + name_of(next) + " runs"; });
  }
  void escaped(const task& from) noexcept override {
    if (record_.failed()) return;
    record_.cause = std::current_exception();
    write([&] {
      record_.failure = "an exception left " + name_of(from) + ": " + current_exception_text();
    });
    end();
  }
  void nothing_left() override { end(); }
  [[nodiscard]] bool over() const noexcept override {
    // Ordering: relaxed; one thread.
    return over_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] const std::atomic<bool>& over_flag() const noexcept { return over_; }
  /// There was no memory to write down what happened.
  [[nodiscard]] bool has_lost_something() const noexcept { return lost_; }

 private:
  static constexpr std::uint64_t times_after_body = 10'000;

  template <class F>
  void write(F f) noexcept {
    try {
      f();
    } catch (...) {
      lost_ = true;
      end();
    }
  }
  /// Adds to the story what `f` writes about the last decision.
  template <class F>
  void tell(F f) noexcept {
    if (!with_story_) return;
    write([&] {
      std::ostringstream out;
      out << "\n    step " << record_.decisions.size() - 1 << ": ";
      f(out);
      record_.story += out.str();
    });
  }
  static std::string name_of(const task& t) { return describe_task(t); }

  std::uint32_t decide(decision_kind kind, std::uint32_t alternatives) {
    const std::uint32_t n = plan_.open(kind, alternatives);
    if (alternatives <= 1 || over()) return 0;
    const std::uint64_t step = record_.decisions.size();
    // One that the plan does not leave open counts as a step, too: all plans number them alike.
    const std::uint32_t chosen = n <= 1 ? 0 : plan_.choose(step, kind, n);
    write([&] { record_.decisions.push_back({kind, std::max(n, 1U), chosen}); });
    if (lost_) return 0;
    mix(chosen);
    return chosen;
  }
  /// Once the body has returned, what goes on is what that has left: see judge().
  void give_up() {
    if (!record_.failed() && !returned_) {
      write([&] {
        record_.failure = "no end after " + std::to_string(steps_) +
                          " steps: tasks keep each other busy for nothing, or timers do";
      });
    }
    gave_up_ = true;
    end();
  }
  void mix(std::uint64_t v) noexcept {
    record_.fingerprint = (record_.fingerprint ^ v) * 0x100000001b3U;  // FNV-1a, a word at a time
  }
  void end() noexcept {
    // Ordering: relaxed; one thread.
    over_.store(true, std::memory_order_relaxed);
  }

  plan& plan_;
  const run_limits& limits_;
  run_record& record_;
  const bool with_story_;
  std::uint64_t steps_ = 0;
  std::uint64_t times_since_ = 0;  // the body has returned, that the clock has moved
  bool returned_ = false;
  bool gave_up_ = false;
  bool lost_ = false;
  std::atomic<bool> over_{false};
};

/// What the tasks of a run that is over still do.
void judge(runtime_core& core, const recorder& run, const run_limits& limits, run_record& record) {
  const std::uint64_t left = core.live_tasks();
  if (record.failed() || left == 0) return;
  if (run.returned() && limits.leftovers_allowed) return;
  std::ostringstream text;
  if (run.returned()) {
    text << "the body has returned, and " << left << " of its tasks "
         << (run.gave_up() ? "do not end:" : "wait for ever:");
  } else {
    text << "all tasks wait, and nothing can wake one (deadlock):";
  }
  (void)list_tasks(core, text);
  record.failure = text.str();
}

/// The runtime of one run: tasks that have not ended when that is over never will.
struct directed_life {
  directed_life(const runtime_options& options, recorder& by)
      : core(runtime_core::make(options, &by)) {}
  ~directed_life() {
    if (core->live_tasks() != 0) core->abandon();
    core->stop();
    core->timers->close();
  }
  directed_life(const directed_life&) = delete;
  directed_life& operator=(const directed_life&) = delete;

  const std::shared_ptr<runtime_core> core;
};

run_record run_once(plan& p, const run_limits& limits, thunk body, void* argument,
                    bool with_story = false) {
  run_record record;
  recorder director(p, limits, record, with_story);
  runtime_options options;
  options.carriers = 1;
  options.seed = 1;  // not used: the director draws
  options.clock = clock_kind::virtual_time;
  const directed_life life(options, director);
  const auto& core = life.core;
  auto first = [&] {
    body(argument);
    director.body_returned();
  };
  core->direct(core->new_task("body", body_ops_of<decltype(first)>, &first), director.over_flag());
  if (director.has_lost_something()) throw std::bad_alloc();
  judge(*core, director, limits, record);
  if (limits.verdict) {
    if (std::string text = limits.verdict(); !text.empty() && !record.failed()) {
      record.failure = std::move(text);
    }
  }
  return record;
}

/// Makes a failing run simpler while it keeps failing.
class shrinker {
 public:
  shrinker(const run_limits& limits, thunk body, void* argument)
      : limits_(limits), body_(body), argument_(argument) {}

  deviations shrink(const run_record& failing) {
    best_ = failing.choices();
    preemptions_ = failing.preemptions();
    // Delta debugging (Zeller and Hildebrandt, 2002): leave out large parts, then smaller ones.
    for (std::size_t part = std::max<std::size_t>(best_.size() / 2, 1);; part /= 2) {
      while (leave_out_some(part)) {
      }
      if (part <= 1) break;
    }
    try_fewer_preemptions();
    return best_;
  }

 private:
  static constexpr int runs_max = 3000;

  bool try_choices(const deviations& choices) {
    if (++runs_ > runs_max) return false;
    fixed_plan p(choices);
    const run_record r = run_once(p, limits_, body_, argument_);
    if (!r.failed()) return false;
    best_ = r.choices();
    preemptions_ = r.preemptions();
    return true;
  }

  bool leave_out_some(std::size_t part) {
    for (std::size_t from = 0; from < best_.size(); from += part) {
      deviations fewer;
      std::size_t i = 0;
      for (const auto& choice : best_) {
        if (i < from || i >= from + part) fewer.insert(choice);
        ++i;
      }
      const std::size_t before = best_.size();
      if (try_choices(fewer) && best_.size() < before) return true;
    }
    return false;
  }

  /// What cannot be left out may still not be the fewest: all schedules with fewer, while that is
  /// feasible.
  void try_fewer_preemptions() {
    for (int bound = 0; bound < static_cast<int>(preemptions_) && bound < 3; ++bound) {
      std::vector<std::uint32_t> path;
      do {
        if (++runs_ > runs_max) return;
        path_plan p(path, bound);
        const run_record r = run_once(p, limits_, body_, argument_);
        if (r.failed()) {
          best_ = r.choices();
          preemptions_ = r.preemptions();
          return;
        }
        path = path_plan::after(r.decisions);
      } while (!path.empty());
    }
  }

  const run_limits& limits_;
  const thunk body_;
  void* const argument_;
  deviations best_;
  std::size_t preemptions_ = 0;
  int runs_ = 0;
};

[[noreturn]] void report(const run_record& last, const schedule& s, const std::string& which,
                         bool quiet) {
  const std::size_t n = last.preemptions();
  std::string text =
      "weir: " + which + " fails: " + last.failure + "\n  It takes " + std::to_string(n) +
      (n == 1 ? " preemption" : " preemptions") + (last.story.empty() ? "." : ":") + last.story +
      "\n  Again: WEIR_REPLAY=" + s.text() + ", or weir::replay(\"" + s.text() + "\", body)";
  if (!quiet) std::fprintf(stderr, "%s\n", text.c_str());
  throw schedule_failure(text, s.text(), n, last.cause);
}

[[noreturn]] void shrink_and_report(const run_record& failing, const run_limits& limits,
                                    const std::string& which, bool quiet, thunk body,
                                    void* argument) {
  schedule s{.by_seed = false, .choices = shrinker(limits, body, argument).shrink(failing)};
  fixed_plan p(s.choices);
  run_record last = run_once(p, limits, body, argument, true);
  if (!last.failed()) {
    // The body asks something that the schedule does not decide.
    last = failing;
    last.failure +=
        "\n  (It does not fail again under the same schedule: is the body "
        "deterministic?)";
  }
  report(last, s, which, quiet);
}

[[noreturn]] void report_left_path(const run_record& last, const std::string& which, bool quiet) {
  run_record r = last;
  r.failure =
      "it has not the decisions that the schedule before it had up to there: is the body "
      "deterministic?";
  report(r, {.by_seed = false, .choices = r.choices()}, which, quiet);
}

/// Sums up runs.
class tally {
 public:
  void add(const run_record& r) {
    sum_.schedules += 1;
    sum_.decisions += r.decisions.size();
    sum_.fingerprint = (sum_.fingerprint ^ r.fingerprint) * 0x100000001b3U;
    seen_.insert(r.fingerprint);
  }
  exploration result(bool complete) {
    sum_.distinct = seen_.size();
    sum_.complete = complete;
    return sum_;
  }

 private:
  exploration sum_;
  std::unordered_set<std::uint64_t> seen_;
};

/// The C++ library counts references without atomics while there is one thread. That is right for a
/// directed runtime, but ThreadSanitizer takes its tasks for threads.
void no_single_thread_shortcuts() {
  if (!sanitized) return;
  static const bool once = (std::thread([] {}).join(), true);
  (void)once;
}

/// A task's carrier cannot serve a second runtime at the same time: a thread of its own, then.
template <class F>
auto on_plain_thread(F f) {
  if (const carrier* const c = carrier::current(); c != nullptr && c->rt.directed_by != nullptr) {
    throw std::logic_error("weir: explore() inside of a schedule that another one explores");
  }
  // Ordering: relaxed; see interruption_point().
  any_directed.store(true, std::memory_order_relaxed);
  no_single_thread_shortcuts();
  return blocking(std::move(f));
}

exploration replay_one(const schedule& s, const run_limits& limits, bool quiet, thunk body,
                       void* argument) {
  const auto run = [&](plan& p) { return run_once(p, limits, body, argument, true); };
  random_plan random(s.seed);
  fixed_plan fixed(s.choices);
  const run_record r = s.by_seed ? run(random) : run(fixed);
  if (r.failed()) report(r, s, "schedule " + s.text(), quiet);
  tally sum;
  sum.add(r);
  return sum.result(false);
}

const char* wanted_replay() {
  const char* wanted = std::getenv("WEIR_REPLAY");
  return wanted != nullptr && *wanted != '\0' ? wanted : nullptr;
}

exploration explore_here(const explore_options& options, thunk body, void* argument) {
  const run_limits limits{options.leftovers_allowed, options.time_may_pass, options.steps_max,
                          options.verdict};
  if (const char* wanted = wanted_replay()) {
    return replay_one(schedule::parse(wanted), limits, options.quiet, body, argument);
  }
  tally sum;
  for (std::uint64_t i = 0; i < options.seeds; ++i) {
    const std::uint64_t seed = options.first_seed + i;
    random_plan p(seed);
    const run_record r = run_once(p, limits, body, argument);
    if (r.failed()) {
      shrink_and_report(r, limits, "seed " + std::to_string(seed), options.quiet, body, argument);
    }
    sum.add(r);
  }
  return sum.result(false);
}

exploration explore_all_here(const explore_all_options& options, thunk body, void* argument) {
  const run_limits limits{options.leftovers_allowed, options.time_may_pass, options.steps_max,
                          options.verdict};
  if (const char* wanted = wanted_replay()) {
    return replay_one(schedule::parse(wanted), limits, options.quiet, body, argument);
  }
  tally sum;
  std::vector<std::uint32_t> path;
  for (std::uint64_t n = 1; n <= options.schedules_max; ++n) {
    path_plan p(path, options.preemptions);
    const run_record r = run_once(p, limits, body, argument);
    if (r.failed()) {
      shrink_and_report(r, limits, "schedule " + std::to_string(n), options.quiet, body, argument);
    }
    if (p.was_left(r.decisions.size()))
      report_left_path(r, "schedule " + std::to_string(n), options.quiet);
    sum.add(r);
    path = path_plan::after(r.decisions);
    if (path.empty()) return sum.result(true);
  }
  return sum.result(false);
}

}  // namespace

exploration explore(const explore_options& options, thunk body, void* argument) {
  return on_plain_thread([&] { return explore_here(options, body, argument); });
}

exploration explore_all(const explore_all_options& options, thunk body, void* argument) {
  if (options.preemptions < 0) {
    throw std::invalid_argument("weir::explore_all: " + std::to_string(options.preemptions) +
                                " preemptions. Use 0 or more.");
  }
  return on_plain_thread([&] { return explore_all_here(options, body, argument); });
}

void replay(std::string_view text, const explore_options& options, thunk body, void* argument) {
  const run_limits limits{options.leftovers_allowed, options.time_may_pass, options.steps_max,
                          options.verdict};
  const schedule s = schedule::parse(text);
  on_plain_thread([&] { return replay_one(s, limits, options.quiet, body, argument); });
}

}  // namespace detail
}  // namespace weir
