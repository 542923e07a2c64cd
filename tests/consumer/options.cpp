// SPDX-License-Identifier: MIT
// Options as users write them, for a build that is optimised and lets no warning pass (run.sh).
#include <weir/weir.hpp>

#include <chrono>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

namespace {

bool always(const std::exception_ptr&) { return true; }

int answer() {
  using namespace std::chrono_literals;
  weir::pool crew{{.workers = 2, .queue = 64, .retry = {.attempts = 2}, .name = "crew"}};
  crew.post({.name = "posted"}, [] {});
  const auto all = weir::background();
  return crew.submit({.timeout = 60s, .retry = {.attempts = 3}, .name = "sum"}, [] { return 40; })
             .get() +
         crew.submit(all, {.retry = {.attempts = 3, .retry_if = always}}, [] { return 2; }).get();
}

std::string words() {
  const std::vector<std::string> in = {"a", "b"};
  std::string out;
  for (const std::string& word :
       weir::process_ordered(weir::background(), in, {.workers = 2, .retry = {.attempts = 2}},
                             [](const std::string& text) { return text + text; })) {
    out += word;
  }
  weir::for_each(weir::background(), in, {.workers = 2}, [](const std::string&) {});
  return out;
}

}  // namespace

int main() {
  const weir::pool plain{{.workers = 2, .when_full = weir::when_full::reject}};
  plain.post([] {});
  if (answer() != 42 || words() != "aabb") return 1;
  std::cout << "options: ok\n";
}
