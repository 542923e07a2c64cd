// SPDX-License-Identifier: MIT
#include "run/reader.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "error.hpp"
#include "run/lent_thread.hpp"
#include "weir/go.hpp"

namespace weir::tool {
namespace {

/// Standard input once more, when it is a pipe, to be read without waiting: others may read from
/// it, too, and be faster than we after poll() has said that there is something. A flag of the old
/// descriptor would be theirs as well. It is for read() only: one of a named pipe that is opened
/// when the last writer has gone does not tell poll() of that. Invalid for other inputs, and where
/// the system does not allow it.
unique_fd own_end_of_pipe() {
  struct stat info {};
  const int flags = fcntl(STDIN_FILENO, F_GETFL);
  if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY) return {};
  if (fstat(STDIN_FILENO, &info) != 0 || !S_ISFIFO(info.st_mode)) return {};
  return unique_fd(open("/proc/self/fd/0", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

}  // namespace

reader::reader(const context& run, separator ends, const channel<job>& jobs)
    : reader(with_cancel(run), ends, jobs) {}

reader::reader(cancellable_context own, separator ends, const channel<job>& jobs)
    : ctx_(std::move(own.ctx)),
      cancel_(std::move(own.cancel)),
      ends_(ends),
      jobs_(jobs),
      stop_(eventfd(0, EFD_CLOEXEC)),
      pipe_(own_end_of_pipe()),
      input_(pipe_ ? pipe_.get() : STDIN_FILENO) {
  if (!stop_) throw tool_error({"eventfd", std::strerror(errno), {}});
  task_.go([this] {
    try {
      read_all();
    } catch (...) {  // only memory can be missing
      error_ = ENOMEM;
    }
    jobs_.close();
  });
}

reader::~reader() { finish(); }

void reader::finish() {
  (void)eventfd_write(stop_.get(), 1);
  cancel_();
  task_.wait();
}

void reader::read_all() {
  constexpr std::size_t block_bytes = std::size_t{64} * 1024;
  std::vector<char> block(block_bytes);
  for (;;) {
    const ssize_t n = read_some(block.data(), block.size());
    if (n < 0) return;
    if (n == 0) {
      at_end_ = length_ == 0 || end_record();  // a last record may lack its end
      return;
    }
    if (!take({block.data(), static_cast<std::size_t>(n)})) return;
  }
}

ssize_t reader::read_some(char* buffer, std::size_t size) {
  while (wait_for_input()) {
    const ssize_t n = read(input_, buffer, size);
    if (n >= 0) return n;
    if (errno == EINTR || errno == EAGAIN) continue;
    error_ = errno;
    break;
  }
  return -1;
}

bool reader::wait_for_input() {
  std::array<pollfd, 2> ready = {{{STDIN_FILENO, POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
  const auto wait = [&ready](int patience_ms) {
    int n = 0;
    do {
      n = poll(ready.data(), ready.size(), patience_ms);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
  };
  // As a rule there is some; a thread is lent only for a wait. While none can be had, the task
  // looks again now and then: it shares its thread with those that are to print.
  int n = wait(0);
  while (n == 0) {
    const std::optional<int> ended = on_lent_thread([&wait] { return wait(-1); });
    if (!ended) sleep_for(std::chrono::milliseconds(20));
    n = ended ? *ended : wait(0);
  }
  if (n < 0) error_ = -n;
  return error_ == 0 && ready[1].revents == 0;
}

bool reader::take(std::string_view bytes) {
  const char end = ends_ == separator::newline ? '\n' : '\0';
  for (std::size_t at; (at = bytes.find(end)) != std::string_view::npos;) {
    keep(bytes.substr(0, at));
    if (!end_record()) return false;
    bytes.remove_prefix(at + 1);
  }
  keep(bytes);
  return true;
}

void reader::keep(std::string_view bytes) {
  length_ += bytes.size();
  record_.append(bytes.substr(0, argument_bytes_max - record_.size()));
}

bool reader::end_record() {
  if (length_ == 0 && ends_ == separator::newline) return true;  // an empty line is no job
  job next{number_ + 1, std::move(record_), length_};
  record_.clear();
  length_ = 0;
  if (ctx_.cancelled()) return false;
  ++number_;
  return jobs_.send(ctx_, std::move(next));
}

}  // namespace weir::tool
