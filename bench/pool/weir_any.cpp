// SPDX-License-Identifier: MIT
// Weir's pool, whose jobs may start in any order.
#include <weir/weir.hpp>

#include "pool/cases.hpp"
#include "pool/weir_peer.hpp"

int main(int argc, char** argv) {
  return bench::run_pool<bench::weir_peer<weir::host::tasks, weir::start_order::any>>(argc, argv);
}
