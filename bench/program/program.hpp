// SPDX-License-Identifier: MIT
#pragma once
// What every benchmark program in C++ begins and ends with (bench/README.md has the contract):
//
//   int main(int argc, char** argv) {
//     bench::program p{"weir", argc, argv};              // <program> <case> key=value ...
//     const auto workers = p.count("workers", 8);
//     if (p.which() != "pool") p.unknown_case();
//     round(workers, 1000);                              // warm-up
//     std::uint64_t sum = 0;
//     const double ns = bench::time_ns([&] { sum = round(workers, n); });
//     p.check(sum == expected, "jobs were lost or doubled");
//     p.print({{"ns", ns / n}});                         // one JSON line
//   }
//
// Header only, and nothing of Weir: peers use it as well.

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bench {

using clock_type = std::chrono::steady_clock;
using figure = std::pair<std::string, double>;

inline double ns_between(clock_type::time_point a, clock_type::time_point b) {
  return std::chrono::duration<double, std::nano>(b - a).count();
}

/// Wall-clock nanoseconds that f takes.
template <class F>
double time_ns(F&& f) {
  const auto start = clock_type::now();
  std::forward<F>(f)();
  return ns_between(start, clock_type::now());
}

/// The compiler must have this value, and can know nothing about it afterwards.
template <class T>
void keep(T& value) {
  asm volatile("" : "+m"(value) : : "memory");
}

/// 1 + 4 + 9 + ... + n*n. Unsigned, since it may wrap: what is compared wraps alike.
inline std::uint64_t sum_of_squares(std::int64_t n) {
  std::uint64_t sum = 0;
  for (std::int64_t i = 1; i <= n; ++i) sum += static_cast<std::uint64_t>(i * i);
  return sum;
}

/// The p-th percentile (0 < p <= 1) by nearest rank.
inline double percentile(const std::vector<double>& sorted, double p) {
  const auto rank = static_cast<std::size_t>(std::ceil(p * static_cast<double>(sorted.size())));
  return sorted[std::max<std::size_t>(rank, 1) - 1];
}

inline double median(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return samples[samples.size() / 2];
}

/// The figures of a latency program: p50, p99, p999.
inline std::vector<figure> percentiles(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return {{"p50", percentile(samples, 0.5)},
          {"p99", percentile(samples, 0.99)},
          {"p999", percentile(samples, 0.999)}};
}

class program {
 public:
  program(std::string impl, int argc, char** argv) : impl_(std::move(impl)), name_(argv[0]) {
    if (argc < 2) fail(2, "usage: <program> <case> key=value ...");
    case_ = argv[1];
    for (int i = 2; i < argc; ++i) {
      const std::string_view word = argv[i];
      const auto equals = word.find('=');
      std::int64_t value = 0;
      const char* const end = word.data() + word.size();
      if (equals == std::string_view::npos ||
          std::from_chars(word.data() + equals + 1, end, value).ptr != end) {
        fail(2, std::string(word) + " is not key=<whole number>");
      }
      given_.emplace(word.substr(0, equals), value);
    }
  }

  [[nodiscard]] const std::string& which() const { return case_; }

  [[nodiscard]] std::int64_t count(const std::string& key, std::int64_t otherwise) {
    known_[key] = true;
    const auto at = given_.find(key);
    return at == given_.end() ? otherwise : at->second;
  }

  [[noreturn]] void unknown_case() const { fail(2, "no case " + case_ + " here"); }

  void check(bool right, const char* otherwise) const {
    if (!right) fail(1, otherwise);
  }

  /// Echoes what was given, so that the harness sees that it was this that ran.
  void print(const std::vector<figure>& figures) const {
    std::string line = R"({"impl":")" + impl_ + R"(","case":")" + case_ + '"';
    for (const auto& [key, value] : given_) {
      if (!known_.contains(key)) fail(2, "no parameter " + key + " in this case");
      line += ",\"" + key + "\":" + std::to_string(value);
    }
    for (const auto& [name, value] : figures) {
      char text[40];
      std::snprintf(text, sizeof text, "%.4f", value);
      line += ",\"" + name + "\":" + text;
    }
    std::puts((line + '}').c_str());
  }

 private:
  [[noreturn]] void fail(int status, const std::string& why) const {
    std::fprintf(stderr, "%s %s: %s\n", name_.c_str(), case_.c_str(), why.c_str());
    std::exit(status);
  }

  std::string impl_;
  std::string name_;
  std::string case_;
  std::map<std::string, std::int64_t, std::less<>> given_;
  std::map<std::string, bool, std::less<>> known_;
};

}  // namespace bench
