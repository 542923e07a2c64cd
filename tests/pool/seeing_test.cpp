// SPDX-License-Identifier: MIT
// What a pool tells of itself: counts, times, OpenMetrics text.
#include "support.hpp"

#include <unistd.h>

#include <fstream>
#include <iomanip>
#include <locale>
#include <mutex>
#include <regex>
#include <sstream>

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(seeing_test);
WEIR_RULES(tracing_test);

WEIR_RULE(seeing_test, timings_hold_how_long_jobs_waited_and_ran) {
  crew_.run([] {
    pool p{{.workers = 1, .queue = 10, .timings = true}};
    p.pause();  // so that all of them are there before the first runs
    for (int i = 0; i < 3; ++i) p.post([] { weir::sleep_for(5ms); });
    p.resume();
    p.wait();
    const pool_timings t = p.timings();
    EXPECT_EQ(t.running.count(), 3);
    EXPECT_EQ(t.waiting.count(), 3);
    EXPECT_GE(t.running.quantile(0), 5ms);
    EXPECT_GE(t.waiting.max(), 10ms) << "the third waited for the two before it";
  });
}

WEIR_RULE(seeing_test, without_timings_there_are_none) {
  crew_.run([] {
    pool p{{.workers = 1}};
    p.submit([] {}).get();
    EXPECT_EQ(p.timings().running.count(), 0);
  });
}

/// A strict reader: every line is a head, a sample of the family whose head came last, or the end.
void expect_openmetrics(const std::string& text) {
  const std::regex head("# (TYPE|HELP|UNIT) ([a-z_]+) (.+)");
  const std::regex sample(R"(([a-z_]+)\{(([a-z]+="(\\[\\"n]|[^"\\])*",?)+)\} ([0-9.e+-]+))");
  std::istringstream in(text);
  std::string family;
  std::string type;
  std::string last;
  for (std::string line; std::getline(in, line); last = line) {
    ASSERT_NE(last, "# EOF") << "nothing follows the end";
    std::smatch m;
    if (std::regex_match(line, m, head)) {
      if (m[1] == "TYPE") {
        family = m[2];
        type = m[3];
      }
      EXPECT_EQ(m[2], family) << line;
    } else if (line != "# EOF") {
      ASSERT_TRUE(std::regex_match(line, m, sample)) << line;
      const std::string name = m[1];
      const bool fits = type == "counter" ? name == family + "_total"
                        : type == "summary"
                            ? name == family || name == family + "_count" || name == family + "_sum"
                            : name == family;
      EXPECT_TRUE(fits) << line << " in " << family;
    }
  }
  EXPECT_EQ(last, "# EOF");
}

TEST(openmetrics_test, a_pools_figures_are_well_formed) {
  pool p{{.workers = 2, .timings = true}};
  for (int i = 0; i < 5; ++i) p.post([] {});
  p.wait();
  std::ostringstream out;
  write_openmetrics(out, p, "a \"strange\\name\"\n");
  expect_openmetrics(out.str());
  EXPECT_NE(out.str().find("weir_pool_jobs_done_total{pool=\"a \\\"strange\\\\name\\\"\\n\"} 5\n"),
            std::string::npos)
      << out.str();
}

/// Numbers as a German writes them.
struct german_numbers final : std::numpunct<char> {
  [[nodiscard]] char do_decimal_point() const override { return ','; }
  [[nodiscard]] char do_thousands_sep() const override { return '.'; }
  [[nodiscard]] std::string do_grouping() const override { return "\3"; }
};

TEST(openmetrics_test, numbers_are_whole_whatever_the_stream_is_set_to) {
  named_pool_figures f{"x", {}, {}};
  f.stats.done = 1'234'567;
  for (int i = 0; i < 100; ++i) f.timings.running.record(12'345'678us);
  std::ostringstream out;
  out.imbue(std::locale(out.getloc(), new german_numbers));  // NOLINT: the locale owns it
  out << std::hex << std::showbase << std::setprecision(2) << std::setw(5);
  write_openmetrics(out, {f});
  expect_openmetrics(out.str());
  for (const char* line : {"weir_pool_jobs_done_total{pool=\"x\"} 1234567\n",
                           "weir_pool_run_seconds_count{pool=\"x\"} 100\n",
                           "weir_pool_run_seconds_sum{pool=\"x\"} 1234.5678"}) {
    EXPECT_NE(out.str().find(line), std::string::npos) << line << " in\n" << out.str();
  }
}

TEST(openmetrics_test, there_are_no_times_of_a_pool_that_takes_none) {
  const pool<> p{{.workers = 1}};
  p.submit([] {}).get();
  std::ostringstream out;
  write_openmetrics(out, p, "x");
  expect_openmetrics(out.str());
  EXPECT_EQ(out.str().find("_seconds"), std::string::npos) << out.str();
}

TEST(openmetrics_test, a_name_that_is_no_utf8_is_written_as_such) {
  std::ostringstream out;
  write_openmetrics(out, {{"a\xFF\xC3\xA4", {}, {}}});
  EXPECT_NE(out.str().find("{pool=\"a\uFFFD\u00E4\"}"), std::string::npos) << out.str();
}

// ---- tracing ------------------------------------------------------------------------------------

/// Writes down what it is told, a word a call.
class diary final : public job_tracer {
 public:
  std::uint64_t submitted(const traced_job& j) noexcept override {
    write("submitted " + std::string(j.name));
    return ++last_;
  }
  void started(const traced_job& j) noexcept override { write("started " + std::to_string(j.tag)); }
  void ended(const traced_job& j, job_end end) noexcept override {
    EXPECT_GE(j.at, j.since);
    write(std::string(to_string(end)) + " " + std::to_string(j.tag));
  }
  [[nodiscard]] std::vector<std::string> words() const {
    const std::lock_guard lock(mutex_);
    return words_;
  }

 private:
  void write(std::string word) {
    const std::lock_guard lock(mutex_);
    words_.push_back(std::move(word));
  }
  mutable std::mutex mutex_;  // guards words_
  std::vector<std::string> words_;
  std::atomic<std::uint64_t> last_{0};
};

using words = std::vector<std::string>;

WEIR_RULE(tracing_test, a_tracer_follows_a_job_by_its_tag_through_every_attempt) {
  crew_.run([] {
    const auto told = std::make_shared<diary>();
    pool p{{.workers = 1, .tracer = told}};
    int attempts = 0;
    p.submit({.retry = {.attempts = 2, .first = 1ms}, .name = "twice"}, [&] {
       if (++attempts == 1) throw std::runtime_error("not yet");
     }).get();
    p.wait();
    EXPECT_EQ(told->words(),
              (words{"submitted twice", "started 1", "again 1", "started 1", "done 1"}));
  });
}

WEIR_RULE(tracing_test, a_job_that_is_never_run_is_told_of_as_well) {
  crew_.run([] {
    const auto told = std::make_shared<diary>();
    const auto last = [&] { return told->words().back(); };
    pool p{{.workers = 1, .queue = 1, .when_full = when_full::drop_oldest, .tracer = told}};
    p.pause();
    p.post([] {});  // 1 is for the worker to come
    p.post([] {});  // 2 takes its place
    EXPECT_EQ(last(), "dropped 1");
    EXPECT_FALSE(p.try_submit([] {}));
    EXPECT_EQ(last(), "rejected 3");
    auto back = p.stop();
    EXPECT_EQ(last(), "returned 2");
    EXPECT_THROW(p.post([] {}), std::system_error);
    EXPECT_EQ(last(), "cancelled 4");
  });
}

WEIR_RULE(tracing_test, a_trace_keeps_the_last_attempts_and_counts_those_it_forgot) {
  crew_.run([] {
    const auto trace = std::make_shared<chrome_trace>(3);
    pool p{{.workers = 1, .name = "mill", .tracer = trace}};
    for (int i = 0; i < 5; ++i) p.submit({.name = "job " + std::to_string(i)}, [] {}).get();
    p.wait();
    std::ostringstream out;
    trace->write(out);
    EXPECT_EQ(trace->forgotten(), 2);
    EXPECT_EQ(out.str().find("job 1"), std::string::npos);
    EXPECT_LT(out.str().find("job 2"), out.str().find("job 4"));
    EXPECT_NE(out.str().find(R"("name":"mill 1")"), std::string::npos) << out.str();
  });
}

TEST(chrome_trace_test, each_attempt_is_its_own_pools) {
  const auto trace = std::make_shared<chrome_trace>();
  for (int i = 0; i < 5; ++i) {
    const pool p{{.workers = 1, .name = "mill of number " + std::to_string(i), .tracer = trace}};
    p.submit([] {}).get();
  }
  std::ostringstream out;
  trace->write(out);
  for (int i = 0; i < 5; ++i) {
    const std::string name = "mill of number " + std::to_string(i) + " 1";
    EXPECT_NE(out.str().find(name), std::string::npos) << name;
  }
}

/// Python reads it, and finds this of its events `e`; the stream it is written to is prepared so.
void expect_json(
    const chrome_trace& trace, const std::string& that,
    const std::function<void(std::ostream&)>& prepare = [](std::ostream&) {}) {
  const std::string path = testing::TempDir() + "/weir_trace." + std::to_string(getpid());
  {
    std::ofstream out(path);
    prepare(out);
    trace.write(out);
  }
  const std::string check =
      "python3 -c \"import json,sys; "
      "e = json.load(open(sys.argv[1], encoding='utf-8'))['traceEvents']; " +
      that +
      "; assert all(x['dur'] >= 0 and x['args']['queued_us'] >= 0 for x in e if x['ph'] == 'X')"
      "\" " +
      path;
  EXPECT_EQ(std::system(check.c_str()), 0);
  std::remove(path.c_str());
}

TEST(chrome_trace_test, it_is_json_whatever_the_names) {
  const auto trace = std::make_shared<chrome_trace>();
  {
    pool p{{.workers = 2,
            .queue = 1,
            .when_full = when_full::run_in_caller,
            .name = "a \"strange\\name\"",
            .tracer = trace}};
    for (const char* name :
         {"", "\"\n\t\x01", "Umlaute äöü, and so many that the name is cut: äöüäöüä"}) {
      for (int i = 0; i < 10; ++i) p.post({.name = name}, [] {});
    }
  }
  expect_json(*trace, "n = sum(x['ph'] in 'Xbi' for x in e); assert n == 30, n");
}

TEST(chrome_trace_test, it_is_json_whatever_the_stream_is_set_to) {
  const auto trace = std::make_shared<chrome_trace>();
  {
    const pool<> p{{.workers = 1, .queue = 2000, .tracer = trace}};
    for (int i = 0; i < 1500; ++i) p.post([] {});
  }
  expect_json(*trace, "assert len(e) == 1502, e; assert all(x['pid'] == 1 for x in e)",
              [](std::ostream& out) {
                out.imbue(std::locale(out.getloc(), new german_numbers));  // NOLINT: it owns it
                out << std::hex << std::showbase << std::setw(30);
              });
}

TEST(chrome_trace_test, it_is_json_where_names_are_no_utf8) {
  const auto trace = std::make_shared<chrome_trace>();
  {
    const pool<> p{{.workers = 1, .name = "\xFFpool", .tracer = trace}};
    for (const char* name : {"\xC3", "\x80z", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80"}) {
      p.post({.name = name}, [] {});
    }
  }
  expect_json(*trace, "assert all(ord(x['name'][0]) == 0xFFFD for x in e if x['ph'] == 'X')");
}

TEST(chrome_trace_test, a_capacity_of_nothing_or_of_everything_is_refused) {
  EXPECT_THROW(chrome_trace(0), std::invalid_argument);
  EXPECT_THROW(chrome_trace(~std::size_t{0}), std::invalid_argument);
}

}  // namespace
