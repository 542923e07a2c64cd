// SPDX-License-Identifier: MIT
#include "runtime/return_by_jump.hpp"
#include "sync/wait_here.hpp"

namespace weir::detail {

WEIR_RETURN_BY_JUMP bool wait_in(spin_lock& m, wait_list& list, wait_node& node,
                                 const context* until, wait_reason why) {
  return wait_here(m, list, node, until, why);
}

}  // namespace weir::detail
