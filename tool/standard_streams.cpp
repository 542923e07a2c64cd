// SPDX-License-Identifier: MIT
#include "standard_streams.hpp"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "error.hpp"

namespace weir::tool {

void open_standard_streams() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    const int opened = open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);  // the lowest: fd itself
    if (opened < 0) {
      throw tool_error({"/dev/null", std::strerror(errno), "Start weir with its streams open"});
    }
  }
}

int write_all(int fd, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t n = write(fd, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {  // somebody made it non-blocking
      pollfd wait{fd, POLLOUT, 0};
      (void)poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

bool writes_at_once(int fd, std::size_t size) noexcept {
  pollfd now{fd, POLLOUT, 0};
  return size <= PIPE_BUF && poll(&now, 1, 0) == 1;
}

void print_text(std::string_view text) {
  if (const int error = write_all(STDOUT_FILENO, text); error != 0) {
    throw tool_error({"standard output", std::strerror(error), {}});
  }
}

}  // namespace weir::tool
