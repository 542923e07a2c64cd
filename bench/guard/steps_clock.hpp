// SPDX-License-Identifier: MIT
#pragma once
// A steady clock that takes a step at each reading, for the one thread that is counted.
//
// The scheduler reads the clock at the end of a window of switches, and chooses the next window's
// length by what the last one took. Under valgrind that depends on how busy the machine is, and
// with it how many windows there are to count. With this clock they are as long as at full speed.

namespace bench {

/// From here on `std::chrono::steady_clock` goes in steps of 100 ns in this thread: clock_gettime()
/// is this program's own. Other threads see the machine's time, as the kernel does that they sleep
/// in; this one must not sleep with a deadline.
void count_in_steps() noexcept;

}  // namespace bench
