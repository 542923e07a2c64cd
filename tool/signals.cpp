// SPDX-License-Identifier: MIT
#include "signals.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include <optional>
#include <system_error>

namespace weir::tool {
namespace {

sigset_t handled() noexcept {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, s);
  sigaddset(&set, SIGUSR2);  // our own: the guard's thread is to end
  return set;
}

}  // namespace

void block_signals() {
  const sigset_t set = handled();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

signal_guard::signal_guard(weir::cancel_func cancel, running_children& children,
                           std::chrono::milliseconds grace)
    : cancel_(std::move(cancel)),
      children_(children),
      grace_(grace),
      stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!stop_) throw std::system_error(errno, std::generic_category(), "eventfd");
  thread_ = std::thread([this] { watch(); });
}

signal_guard::~signal_guard() {
  over_ = true;
  pthread_kill(thread_.native_handle(), SIGUSR2);
  thread_.join();
}

int signal_guard::received() const noexcept { return received_; }

void signal_guard::announce_stop() noexcept {
  (void)::eventfd_write(stop_.get(), 1);
  cancel_();
}

void signal_guard::stop_now() {
  announce_stop();
  children_.signal_all(SIGKILL);
}

void signal_guard::watch() {
  using clock = std::chrono::steady_clock;
  const sigset_t set = handled();
  std::optional<clock::time_point> kill_at;
  while (!over_) {
    const auto left = kill_at ? std::max(*kill_at - clock::now(), clock::duration::zero())
                              : clock::duration(std::chrono::hours(24));
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    const timespec wait{.tv_sec = seconds.count(),
                        .tv_nsec = std::chrono::nanoseconds(left - seconds).count()};
    const int signal = ::sigtimedwait(&set, nullptr, &wait);
    if (signal == SIGUSR2) continue;
    if (signal < 0) {
      if (kill_at && clock::now() >= *kill_at) {
        children_.signal_all(SIGKILL);
        kill_at.reset();
      }
      continue;
    }
    if (received_ == 0) {
      received_ = signal;
      announce_stop();
      children_.signal_all(SIGTERM);
      kill_at = clock::now() + grace_;
    } else {
      children_.signal_all(SIGKILL);
    }
  }
}

}  // namespace weir::tool
