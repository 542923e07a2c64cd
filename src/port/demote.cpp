// SPDX-License-Identifier: MIT
#include "port/demote.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace weir::port {
namespace {

[[nodiscard]] bool has_cldemote() noexcept {
#if defined(__x86_64__)
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  constexpr unsigned features = 7;
  constexpr unsigned cldemote = 1U << 25U;  // in ecx
  return __get_cpuid_count(features, 0, &a, &b, &c, &d) != 0 && (c & cldemote) != 0;
#else
  return false;
#endif
}

/// Before main, and before most threads.
[[maybe_unused]] const bool looked = [] {
  // Ordering: relaxed; nothing else depends on it.
  can_demote.store(has_cldemote(), std::memory_order_relaxed);
  return true;
}();

}  // namespace

constinit std::atomic<bool> can_demote{false};

}  // namespace weir::port
