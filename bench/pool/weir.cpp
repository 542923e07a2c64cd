// SPDX-License-Identifier: MIT
// Weir's pool, whose workers are tasks.
#include <weir/weir.hpp>

#include "pool/cases.hpp"
#include "pool/weir_peer.hpp"

int main(int argc, char** argv) {
  return bench::run_pool<bench::weir_peer<weir::host::tasks>>(argc, argv);
}
