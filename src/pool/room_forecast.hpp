// SPDX-License-Identifier: MIT
#pragma once
// A thread finds a pool's queue full: when will many places be free? To wait in line for the first
// is dear where jobs are small: a worker has to wake the thread, which takes a processor from
// another worker, and after a job or two the queue is full again. 1 us jobs took 1.3 times as long
// by that, and twice on one processor. So the thread had better come back by itself when it pays,
// and nobody has to wake it. It comes when a quarter of the places should be free: three quarters
// of the jobs are still there then, and the workers do not wait for it.
//
//   forecast.is_full(now, submitted);                        // each time that it is found full
//   if (time_ns nap = forecast.nap_for(places); nap > 0) …;  // sleeps, and after that:
//   forecast.became_free(time, places);

#include <algorithm>
#include <cstdint>

#include "runtime/clock.hpp"

namespace weir::detail {

/// A pool's; under its lock.
class room_forecast {
 public:
  /// It is, at this time, and so many jobs have been submitted so far: as many as since the last
  /// time have left it since.
  void is_full(time_ns now, std::uint64_t submitted) noexcept {
    passing_ = at_ == never ? never : each(now - at_, submitted - submitted_);
    at_ = now;
    submitted_ = submitted;
  }
  /// It was looked at twice, in such a distance, and the second time so many more were free. (Where
  /// several submit that may be too few, and without them more: neither says it all.)
  void became_free(time_ns time, std::int64_t places) noexcept {
    draining_ = each(time, static_cast<std::uint64_t>(std::max<std::int64_t>(places, 0)));
  }
  /// So long it should take until so many are free; 0: that is too short for a sleep, or too long
  /// to keep anybody from the places that are free before.
  [[nodiscard]] time_ns nap_for(std::int64_t places) const noexcept {
    const time_ns one = std::min(passing_, draining_);
    if (one < shortest_place || one > longest_place) return 0;
    const time_ns nap = std::min(one * places, longest_nap);
    return nap < shortest_nap ? 0 : nap;
  }

 private:
  // A sleep costs some 10 us, all in all; to look on for 20 us makes room for 64 jobs of 300 ns.
  static constexpr time_ns shortest_place = 400;
  static constexpr time_ns longest_place = 10'000;
  static constexpr time_ns shortest_nap = 30'000;
  static constexpr time_ns longest_nap = 200'000;

  [[nodiscard]] static time_ns each(time_ns time, std::uint64_t places) noexcept {
    return places == 0 ? never : time / static_cast<time_ns>(places);
  }

  time_ns passing_ = never;   // a place, with submitters
  time_ns draining_ = never;  // without
  time_ns at_ = never;        // the last is_full()
  std::uint64_t submitted_ = 0;
};

}  // namespace weir::detail
