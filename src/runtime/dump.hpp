// SPDX-License-Identifier: MIT
#pragma once
// What tasks and threads wait for, in words.

#include <iosfwd>
#include <string>

#include "runtime/task.hpp"

namespace weir::detail {

class runtime_core;

/// "task 7 'reader'".
[[nodiscard]] std::string describe_task(const task& t);
/// Every live task of a runtime, a line each, indented, beginning with a newline. How many.
std::size_t list_tasks(runtime_core& core, std::ostream& out);

/// Every task of every runtime, and every thread that waits.
void dump_everything(std::ostream& out);
/// The same where nothing may be thrown: or that there is no memory for it.
void try_dump_everything(std::ostream& out) noexcept;

/// "send on channel 0x… (cap 0), 2 min".
[[nodiscard]] std::string describe_wait(const wait_kind& kind, const void* object,
                                        std::size_t amount, time_ns waited);
/// "1 s", "2 min": how long something has waited.
[[nodiscard]] std::string describe_duration(time_ns d);

}  // namespace weir::detail
