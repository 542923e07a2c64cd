// SPDX-License-Identifier: MIT
#include "spool.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>

namespace weir::tool {
namespace {

std::error_code last_error() noexcept { return {errno, std::generic_category()}; }

}  // namespace

unique_fd& unique_fd::operator=(unique_fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

int unique_fd::release() noexcept { return std::exchange(fd_, -1); }

void unique_fd::reset() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

std::error_code write_all(int fd, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (n < 0 && errno == EAGAIN) {
      pollfd wait{.fd = fd, .events = POLLOUT, .revents = 0};  // somebody made it non-blocking
      ::poll(&wait, 1, -1);
    } else if (n < 0 && errno != EINTR) {
      return last_error();
    }
  }
  return {};
}

std::error_code spool::open_file() {
  const char* directory = std::getenv("TMPDIR");
  if (directory == nullptr || *directory == '\0') directory = "/tmp";
  file_ = unique_fd(::open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file_) return {};
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT) return last_error();
  // A file system without O_TMPFILE: create, and unlink at once.
  std::string name = std::string(directory) + "/weir-XXXXXX";
  file_ = unique_fd(::mkostemp(name.data(), O_CLOEXEC));
  if (!file_) return last_error();
  ::unlink(name.c_str());
  return {};
}

std::error_code spool::append(std::string_view bytes) {
  const std::size_t fits = std::min(bytes.size(), memory_max - memory_.size());
  memory_.append(bytes.substr(0, fits));
  bytes.remove_prefix(fits);
  if (bytes.empty()) return {};
  if (!file_) {
    if (const std::error_code error = open_file()) return error;
  }
  return write_all(file_.get(), bytes);
}

std::error_code spool::copy_to(int fd) const {
  if (const std::error_code error = write_all(fd, memory_)) return error;
  if (!file_) return {};
  std::array<char, 65536> buffer;
  for (off_t at = 0;;) {
    const ssize_t n = ::pread(file_.get(), buffer.data(), buffer.size(), at);
    if (n == 0) return {};
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return last_error();
    if (const auto error = write_all(fd, {buffer.data(), static_cast<std::size_t>(n)})) return error;
    at += n;
  }
}

}  // namespace weir::tool
