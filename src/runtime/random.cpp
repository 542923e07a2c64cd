// SPDX-License-Identifier: MIT
#include "runtime/random.hpp"

#include "runtime/carrier.hpp"
#include "runtime/clock.hpp"

namespace weir::detail {

std::uint32_t random_below(std::uint32_t n) {
  if (carrier* c = carrier::current()) return c->random_below(n);
  struct seeded : random_source {
    seeded() {
      seed(static_cast<std::uint64_t>(steady_now()) ^ reinterpret_cast<std::uintptr_t>(this));
    }
  };
  thread_local seeded mine;
  return mine.below(n);
}

}  // namespace weir::detail
