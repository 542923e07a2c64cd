// SPDX-License-Identifier: MIT
#include "run/signals.hpp"

#include <fcntl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "error.hpp"

namespace weir::tool {

namespace {

constexpr int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP};

bool is_ignored(int number) {
  struct sigaction now {};
  return sigaction(number, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

}  // namespace

signal_events::signal_events() {
  sigset_t ours;
  sigemptyset(&ours);
  for (const int number : endings) {
    if (!is_ignored(number)) sigaddset(&ours, number);
  }
  if (unique_fd(open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK))) {
    sigaddset(&ours, SIGCHLD);
  }
  fd_.reset(signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd_) throw tool_error({"signalfd", std::strerror(errno), {}});
  taken_ = ours;
  sigaddset(&ours, SIGPIPE);  // these two are never read: write() reports EPIPE and EFBIG
  sigaddset(&ours, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &ours, &before_.blocked);
  for (const int number : endings) {
    if (sigismember(&before_.blocked, number) == 1) sigdelset(&taken_, number);
  }
  before_.child_ignored = is_ignored(SIGCHLD);
  if (before_.child_ignored) signal(SIGCHLD, SIG_DFL);
}

void signal_events::give_back() const noexcept { pthread_sigmask(SIG_UNBLOCK, &taken_, nullptr); }

int signal_events::next() const noexcept {
  signalfd_siginfo info{};
  const ssize_t n = read(fd_.get(), &info, sizeof info);
  return n == static_cast<ssize_t>(sizeof info) ? static_cast<int>(info.ssi_signo) : 0;
}

void suspend_self() {
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, SIGTSTP);
  raise(SIGTSTP);
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);  // the process stops here
  pthread_sigmask(SIG_BLOCK, &only, nullptr);
}

std::string signal_name(int number) {
  const char* name = sigabbrev_np(number);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(number);
}

}  // namespace weir::tool
