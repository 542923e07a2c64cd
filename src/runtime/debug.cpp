// SPDX-License-Identifier: MIT
#include "weir/debug.hpp"

#include <signal.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "runtime/dump.hpp"
#include "runtime/monitor.hpp"

namespace weir {

void dump_tasks(std::ostream& out) { detail::dump_everything(out); }

namespace {
void on_signal(int /*signal*/) {
  const int kept = errno;
  detail::monitor::instance().request_dump();
  errno = kept;
}
}  // namespace

void dump_tasks_on(int signal) {
  if (!detail::monitor::instance().start()) {
    throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again),
                            "weir::dump_tasks_on: no thread to be had");
  }
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  if (sigaction(signal, &action, nullptr) != 0) {
    throw std::system_error(errno, std::generic_category(),
                            "weir::dump_tasks_on: signal " + std::to_string(signal));
  }
}

}  // namespace weir
