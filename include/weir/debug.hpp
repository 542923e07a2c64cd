// SPDX-License-Identifier: MIT
#pragma once
// Who waits for what: on demand, on a signal, and when everybody waits for ever.
//
//   weir::dump_tasks(std::cerr);
//   weir::dump_tasks_on(SIGQUIT);          // Ctrl-\ prints the list, and the program goes on
//
//   2 tasks, 1 waiting thread
//     task 7 'reader': receive on channel 0x55d0c8 (cap 0), 2 min
//     task 8: running
//     thread 4711 'server': wait on wait_group 0x55d0f0 (count 2), 2 min
//
// In a core file, or a program that gdb holds: `source weir-gdb.py`, and then `weir tasks`; it is
// installed in share/weir.
//
// When every thread of the process waits in Weir without a time limit, and every task does, nothing
// can wake any of them. As in Go the program then ends, with that list; it takes a second to
// notice. A thread that Weir does not know of may wake somebody: then nothing is certain, and
// nothing is said.

#include <iosfwd>

namespace weir {

/// Prints each live task of each runtime, and each plain thread that waits in Weir. Others go on
/// meanwhile, so the list is of no one instant; each line was true at some instant. Safe at any
/// time, but for signal handlers.
void dump_tasks(std::ostream& out);

/// From now on `signal` (SIGQUIT, SIGUSR1…) has the list printed to stderr, and nothing else. What
/// the signal did before is replaced. Throws std::system_error for a number that is no signal.
void dump_tasks_on(int signal);

enum class on_deadlock {
  end_program,  ///< prints the list and calls std::abort(): the default
  report,       ///< prints the list, once
  ignore,
};

/// What to do when nothing can go on. The environment's WEIR_DEADLOCK (end_program, report or
/// ignore) comes before it; another word there is refused by the first runtime.
void set_on_deadlock(on_deadlock what) noexcept;

}  // namespace weir
