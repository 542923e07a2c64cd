// SPDX-License-Identifier: MIT
#pragma once
// What the hang programs share. Each is `<program> <case>`: it ends with 0 and the word "passes" or
// "lost", and why, on standard output; or with 3 if it has no such case; or does not end, or
// aborts: scripts/hangs tells.

#include <cstdio>
#include <functional>
#include <map>
#include <string>

namespace hangs {

inline void say(const char* verdict, const std::string& why) {
  std::printf("%s: %s\n", verdict, why.c_str());
  std::fflush(stdout);
}

/// Passes if it is as wanted.
inline void judge(bool as_wanted, const std::string& what) {
  say(as_wanted ? "passes" : "lost", what);
}

inline int run(int argc, char** argv, const std::map<std::string, std::function<void()>>& cases) {
  const auto found = cases.find(argc > 1 ? argv[1] : "");
  if (found == cases.end()) return 3;
  found->second();
  return 0;
}

}  // namespace hangs
