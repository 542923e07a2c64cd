// SPDX-License-Identifier: MIT
#include "weir/histogram.hpp"

#include <algorithm>
#include <cmath>

namespace weir {

std::chrono::nanoseconds histogram::quantile(double share) const noexcept {
  if (count_ == 0) return nanoseconds_of(0);
  const double within = share > 0 ? std::min(share, 1.0) : 0.0;  // a NaN is not, either
  const double wanted = std::ceil(within * static_cast<double>(count_));
  const auto rank = std::max<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1);
  std::uint64_t seen = 0;
  for (std::size_t b = 0; b < buckets_.size(); ++b) {
    seen += buckets_[b];
    if (seen >= rank) return nanoseconds_of(std::min(top_of(b), max_));
  }
  return max();
}

histogram& histogram::operator+=(const histogram& other) noexcept {
  for (std::size_t b = 0; b < buckets_.size(); ++b) buckets_[b] += other.buckets_[b];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
  return *this;
}

}  // namespace weir
