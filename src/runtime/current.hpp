// SPDX-License-Identifier: MIT
#pragma once
// Which carrier is this thread? Asked several times in each operation, so it is worth two
// instructions and no call.

#include "runtime/relaxed.hpp"

namespace weir::detail {
class carrier;
}

/// The carrier whose thread this is; set by carrier::serve() only. With a name that assembly knows.
extern "C" {
extern constinit thread_local weir::detail::relaxed<weir::detail::carrier*> weir_this_carrier;
}

namespace weir::detail {

#if defined(__x86_64__)
/// Null in a plain thread. In assembly, so that no compiler keeps the thread-local's address over a
/// switch to another thread.
[[nodiscard]] inline carrier* this_carrier() noexcept {
  carrier* here;
  asm volatile("movq weir_this_carrier@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0" : "=r"(here));
  return here;
}
#else
/// As above; not inlined for the same reason.
[[nodiscard]] carrier* this_carrier() noexcept;
#endif

}  // namespace weir::detail
