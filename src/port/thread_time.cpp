// SPDX-License-Identifier: MIT
#include "port/thread_time.hpp"

#include <sys/resource.h>
#include <time.h>

namespace weir::port {

std::int64_t thread_time(int thread_id) noexcept {
  // The kernel's own encoding of "the scheduler's clock of that thread", as pthread_getcpuclockid()
  // makes it; that wants a pthread_t, which may have ended.
  constexpr unsigned per_thread = 4, scheduled = 2;
  const auto clock =
      static_cast<clockid_t>(~static_cast<unsigned>(thread_id) << 3U | per_thread | scheduled);
  timespec t{};
  if (clock_gettime(clock, &t) != 0) return -1;
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

std::int64_t preemptions() noexcept {
  rusage used{};
  getrusage(RUSAGE_THREAD, &used);
  return used.ru_nivcsw;
}

}  // namespace weir::port
