// SPDX-License-Identifier: MIT
#include "pool/sizing.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace weir::detail {
namespace {

constexpr double busy = 0.9;           // of the CPUs: from here on more workers do not help
constexpr double worth = 0.25;         // of the growth must come back as throughput
constexpr double another_phase = 1.5;  // so much faster or slower: what was learnt is void
constexpr int patience_max = 64;       // windows

}  // namespace

bool sizing::enough(const sizing_sample& s) const noexcept {
  // Fewer completions than workers say more about chance than about the count.
  const auto wanted = std::max<std::int64_t>(20, 2 * count_);
  return s.seconds >= 0.1 && (s.completed >= wanted || s.seconds >= 1);
}

std::int64_t sizing::grown(double cpu_share) const noexcept {
  const double factor = std::min(2.0, 0.95 / std::max(cpu_share, 0.01));
  const auto wanted = static_cast<std::int64_t>(std::ceil(static_cast<double>(count_) * factor));
  return std::clamp(std::max(wanted, count_ + 1), least_, most_);
}

std::int64_t sizing::decide(const sizing_sample& s) noexcept {
  if (std::exchange(settling_, false)) return count_;
  const double rate = static_cast<double>(s.completed) / s.seconds;
  if (before_ != 0) {
    const double growth = static_cast<double>(count_) / static_cast<double>(before_) - 1;
    const bool paid = rate >= rate_before_ * (1 + worth * growth);
    const std::int64_t from = std::exchange(before_, 0);
    if (!paid && s.backlog) {
      count_ = from;
      settling_ = true;
      rate_at_rest_ = rate_before_;
      last_patience_ = std::min(std::max(2 * last_patience_, 4), patience_max);
      patience_ = last_patience_;
      return count_;
    }
    if (paid) last_patience_ = 0;
  }
  if (!s.backlog || s.cpu_share >= busy || count_ >= most_) return count_;
  if (rate_at_rest_ > 0 &&
      (rate > rate_at_rest_ * another_phase || rate < rate_at_rest_ / another_phase)) {
    patience_ = last_patience_ = 0;
    rate_at_rest_ = 0;
  }
  if (patience_ > 0) {
    --patience_;
    return count_;
  }
  before_ = count_;
  rate_before_ = rate;
  count_ = grown(s.cpu_share);
  settling_ = true;
  return count_;
}

}  // namespace weir::detail
