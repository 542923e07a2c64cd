// SPDX-License-Identifier: MIT
#include "run/child.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "run/process_group.hpp"

namespace weir::tool {

output_stream::state output_stream::pull(std::span<char> scratch, int& error) {
  ssize_t n = 0;
  do {
    n = read(pipe.get(), scratch.data(), scratch.size());
  } while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) return state::waiting;
  if (n <= 0) {
    if (n < 0 && error == 0) error = errno;
    pipe.reset();
    return state::ended;
  }
  if (error == 0) error = kept.append({scratch.data(), static_cast<std::size_t>(n)});
  if (error != 0) kept.clear();  // its end will tell that it is lost; the pipe is read all the same
  return state::progress;
}

void child::signal_group(int signal) const noexcept {
  if (group > 0) (void)kill(-group, signal);
}

bool child::reap() {
  siginfo_t how{};
  int error = 0;
  do {
    error =
        waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &how, WEXITED | WNOHANG) == 0 ? 0 : errno;
  } while (error == EINTR);
  if (error == 0 && how.si_pid == 0) return false;
  pidfd.reset();
  if (error == 0) {
    end.how = how.si_code == CLD_EXITED ? ending::exited : ending::killed;
    end.code = how.si_status;
  } else {
    end.how = ending::given_up;
    end.why = fmt::format("nobody knows how it ended: {}", std::strerror(error));
  }
  if (!group_lives(group)) group = -1;
  return true;
}

void child::read_rest(std::span<char> scratch) {
  constexpr int pulls_max = 64;  // more than a pipe holds
  for (output_stream* stream : {&out, &err}) {
    // As a rule all of it is there. Others may hold the pipe and go on writing.
    auto state = output_stream::state::progress;
    for (int i = 0; i < pulls_max && stream->pipe && state == output_stream::state::progress; ++i) {
      state = stream->pull(scratch, keep_error);
    }
  }
}

void child::cut_off() {
  if (complete()) return;
  end.how = ending::stopped;
  out.pipe.reset();
  err.pipe.reset();
}

void child::give_up(std::string why) {
  given_up = std::move(why);
  signal_group(SIGKILL);
}

outcome child::take_outcome() {
  if (!given_up.empty()) {
    end.how = ending::given_up;
    end.why = std::move(given_up);
  }
  end.number = number;
  end.out = std::move(out.kept);
  end.err = std::move(err.kept);
  return std::move(end);
}

}  // namespace weir::tool
