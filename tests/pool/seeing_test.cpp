// SPDX-License-Identifier: MIT
// What a pool tells of itself: counts, times, OpenMetrics text.
#include "support.hpp"

#include <regex>
#include <sstream>

namespace {

using namespace weir_test;
using namespace weir;

WEIR_RULES(seeing_test);

WEIR_RULE(seeing_test, timings_hold_how_long_jobs_waited_and_ran) {
  crew_.run([] {
    pool p{{.workers = 1, .queue = 10, .timings = true}};
    for (int i = 0; i < 3; ++i) p.post([] { weir::sleep_for(5ms); });
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

}  // namespace
