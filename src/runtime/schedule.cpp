// SPDX-License-Identifier: MIT
#include "runtime/schedule.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace weir::detail {

// ---- schedules as text --------------------------------------------------------------------------

std::string schedule::text() const {
  if (by_seed) return std::to_string(seed);
  std::string t = "s";
  for (const auto& [step, choice] : choices) {
    if (t.size() > 1) t += '-';
    t += std::to_string(step) + '.' + std::to_string(choice);
  }
  return t;
}

namespace {

template <class Number>
bool read_number(std::string_view& text, Number& n) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool read(std::string_view text, schedule& s) {
  s.by_seed = text.empty() || text.front() != 's';
  if (s.by_seed) return read_number(text, s.seed) && text.empty();
  text.remove_prefix(1);
  while (!text.empty()) {
    std::uint64_t step = 0;
    std::uint32_t choice = 0;
    if (!read_number(text, step) || !text.starts_with('.')) return false;
    text.remove_prefix(1);
    if (!read_number(text, choice)) return false;
    s.choices[step] = choice;
    if (text.starts_with('-')) text.remove_prefix(1);
  }
  return true;
}

}  // namespace

schedule schedule::parse(std::string_view text) {
  schedule s;
  if (read(text, s)) return s;
  throw std::invalid_argument("weir: \"" + std::string(text) +
                              "\" is no schedule. Use a seed, as 42, or what a report says, as "
                              "s9.1-17.2.");
}

// ---- random -------------------------------------------------------------------------------------

random_plan::random_plan(std::uint64_t seed) {
  random_.seed(seed);
  if (random_.below(3) == 0) {
    // A few places, in a run whose length we do not know: any power of two may be right.
    const std::uint32_t within = 16U << random_.below(9);
    for (std::uint32_t n = 1 + random_.below(3); n > 0; --n) {
      places_.push_back(random_.below(within));
    }
  } else if (const std::uint32_t kind = random_.below(8); kind > 0) {
    one_in_ = 1U << (kind - 1);
  }
  next_shuffled_of_4_ = random_.below(5);
}

bool random_plan::interrupts_now() noexcept {
  const std::uint64_t now = interrupts_seen_++;
  if (!places_.empty()) return std::find(places_.begin(), places_.end(), now) != places_.end();
  return one_in_ != 0 && random_.below(one_in_) == 0;
}

std::uint32_t random_plan::choose(std::uint64_t /*step*/, decision_kind kind, std::uint32_t n) {
  switch (kind) {
    case decision_kind::interrupt: return interrupts_now() ? 1 + random_.below(n - 1) : 0;
    case decision_kind::next: return random_.below(4) < next_shuffled_of_4_ ? random_.below(n) : 0;
    default: return random_.below(n);
  }
}

// ---- written, and all ---------------------------------------------------------------------------

std::uint32_t fixed_plan::choose(std::uint64_t step, decision_kind /*kind*/, std::uint32_t n) {
  const auto found = choices_.find(step);
  return found != choices_.end() && found->second < n ? found->second : 0;
}

std::uint32_t path_plan::open(decision_kind kind, std::uint32_t n) {
  return kind == decision_kind::interrupt && left_ == 0 ? 1 : n;
}

std::uint32_t path_plan::choose(std::uint64_t step, decision_kind kind, std::uint32_t n) {
  std::uint32_t chosen = step < path_.size() ? path_[step] : 0;
  if (chosen >= n) {
    left_path_ = true;
    chosen = 0;
  }
  if (kind == decision_kind::interrupt && chosen != 0) left_ -= 1;
  return chosen;
}

std::vector<std::uint32_t> path_plan::after(std::vector<decision> taken) {
  while (!taken.empty() && taken.back().chosen + 1 == taken.back().alternatives) taken.pop_back();
  std::vector<std::uint32_t> path;
  path.reserve(taken.size());
  for (const decision& d : taken) path.push_back(d.chosen);
  if (!path.empty()) path.back() += 1;
  return path;
}

}  // namespace weir::detail
