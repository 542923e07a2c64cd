// SPDX-License-Identifier: MIT
#pragma once
// What goes through channels and streams in the tests.

#include <cstddef>
#include <numeric>
#include <vector>

namespace weir_test {

/// 0 to n - 1.
inline std::vector<int> numbers(int n) {
  std::vector<int> v(static_cast<std::size_t>(n));
  std::iota(v.begin(), v.end(), 0);
  return v;
}

}  // namespace weir_test
