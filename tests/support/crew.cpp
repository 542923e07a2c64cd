// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <gtest/gtest-spi.h>

#include <cstdlib>

namespace weir_test {

std::uint64_t seeds_wanted() {
  if (const char* wanted = std::getenv("WEIR_SEEDS")) return std::strtoull(wanted, nullptr, 10);
  return sanitized ? 100 : 1000;
}

std::string name_of(const testing::TestParamInfo<setting>& info) {
  const char* names[] = {"tasks", "threads", "mixed", "seeds"};
  return std::string(names[info.param.who]) + "_" + std::to_string(info.param.carriers);
}

testing::internal::ParamGenerator<setting> all_settings() {
  return testing::Values(setting{setting::tasks, 1}, setting{setting::tasks, 2},
                         setting{setting::tasks, 8}, setting{setting::threads, 1},
                         setting{setting::mixed, 1}, setting{setting::mixed, 2},
                         setting{setting::mixed, 8}, setting{setting::seeds, 1});
}

crew::crew(setting s) : setting_(s) {
  if (s.who != setting::seeds) rt_.emplace(weir::runtime_options{.carriers = s.carriers});
}

void crew::spawn(std::function<void()> f) {
  const bool thread =
      setting_.who == setting::threads || (setting_.who == setting::mixed && spawned_ % 2 == 1);
  ++spawned_;
  if (thread) {
    threads_.emplace_back(std::move(f));
    return;
  }
  running_.add();
  auto body = [f = std::move(f), running = running_]() mutable {
    f();
    f = nullptr;  // what it holds may refer to what is gone after join()
    running.done();
  };
  if (rt_) {
    rt_->go(std::move(body));
  } else {
    weir::go(std::move(body));
  }
}

void crew::join() {
  for (auto& t : threads_) t.join();
  threads_.clear();
  running_.wait();
}

void crew::run(std::function<void()> f) {
  if (rt_ && setting_.who != setting::threads) {
    rt_->run(f);
  } else {
    f();
  }
}

void hold_under_seeds(rule body, weir::explore_options options) {
  std::string report;
  {
    testing::TestPartResultArray failures;
    const testing::ScopedFakeTestPartResultReporter intercept(
        testing::ScopedFakeTestPartResultReporter::INTERCEPT_ALL_THREADS, &failures);
    int seen = 0;
    options.seeds = seeds_wanted();
    options.quiet = true;
    options.verdict = [&] {
      if (failures.size() == seen) return std::string();
      const testing::TestPartResult& first = failures.GetTestPartResult(seen);
      seen = failures.size();
      return std::string(first.file_name() != nullptr ? first.file_name() : "") + ":" +
             std::to_string(first.line_number()) + ": " + first.message();
    };
    under_seeds = true;
    try {
      weir::explore(options, [&] {
        crew c({setting::seeds, 1});
        body(c);
      });
    } catch (const weir::schedule_failure& e) {
      report = e.what();
    }
    under_seeds = false;
  }
  if (!report.empty()) ADD_FAILURE() << report;
}

void hold(setting s, rule body) {
  if (s.who == setting::seeds) {
    hold_under_seeds(body);
  } else {
    crew c(s);
    body(c);
  }
}

}  // namespace weir_test
