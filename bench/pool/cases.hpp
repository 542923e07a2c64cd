// SPDX-License-Identifier: MIT
#pragma once
// The cases of all suites that measure pools, for one peer.

#include "pool/grain.hpp"
#include "pool/latency.hpp"
#include "pool/submission.hpp"

namespace bench {

template <class P>
int run_pool(int argc, char** argv) {
  program p{P::name, argc, argv};
  if (p.which() == "post") {
    measure_submission<P>(p, false);
  } else if (p.which() == "submit" && has_submit<P>) {
    measure_submission<P>(p, true);
  } else if (stream::is(p.which())) {
    measure_compute<P>(p);
  } else if (p.which() == "wait") {
    measure_wait<P>(p);
  } else if (p.which() == "start") {
    measure_start<P>(p);
  } else if (p.which() == "wake") {
    measure_wake<P>(p);
  } else if (p.which() == "timers") {
    measure_timers<P>(p);
  } else if (p.which() == "idle") {
    measure_idle<P>(p);
  } else {
    p.unknown_case();
  }
  return 0;
}

}  // namespace bench
