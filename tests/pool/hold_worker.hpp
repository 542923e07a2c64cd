// SPDX-License-Identifier: MIT
#pragma once
// For tests in which a pool's workers are busy.

#include <weir/weir.hpp>

namespace weir_test {

/// Keeps a worker of p in a job until the channel is closed, or anything is sent there. It is in
/// there when this returns.
inline weir::channel<int> hold_worker(const weir::pool<>& p) {
  const weir::channel<int> begun;
  const weir::channel<int> open;
  p.post([=] {
    begun.send(1);
    (void)open.receive();
  });
  (void)begun.receive();
  return open;
}

}  // namespace weir_test
