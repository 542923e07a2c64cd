// SPDX-License-Identifier: MIT
#include "sync/wait_here.hpp"

namespace weir::detail {

bool wait_in(spin_lock& m, wait_list& list, wait_node& node, const context* until,
             wait_reason why) {
  return wait_here(m, list, node, until, why);
}

}  // namespace weir::detail
