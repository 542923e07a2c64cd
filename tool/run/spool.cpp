// SPDX-License-Identifier: MIT
#include "run/spool.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <vector>

#include "standard_streams.hpp"

namespace weir::tool {
namespace {

/// A new file without a name, or an invalid one with errno set.
unique_fd open_nameless(const char* folder) {
  unique_fd file(open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return file;
  std::string name = std::string(folder) + "/weir-XXXXXX";  // a file system without O_TMPFILE
  file.reset(mkostemp(name.data(), O_CLOEXEC));
  if (file) unlink(name.c_str());
  return file;
}

}  // namespace

const char* spool::folder() noexcept {
  const char* named = getenv("TMPDIR");
  return named != nullptr && *named != '\0' ? named : "/tmp";
}

int spool::move_to_file() {
  file_ = open_nameless(folder());
  if (!file_) return errno;
  if (const int error = write_all(file_.get(), memory_); error != 0) return error;
  memory_ = {};
  return 0;
}

int spool::append(std::string_view bytes) try {
  if (!file_ && memory_.size() + bytes.size() > memory_bytes_max_) {
    if (const int error = move_to_file(); error != 0) return error;
  }
  size_ += bytes.size();
  if (file_) return write_all(file_.get(), bytes);
  memory_.append(bytes);
  return 0;
} catch (const std::bad_alloc&) {
  return ENOMEM;
}

int spool::copy_to(int fd) const {
  if (!file_) return write_all(fd, memory_);
  constexpr std::size_t block_bytes = std::size_t{128} * 1024;
  std::vector<char> block(block_bytes);
  for (off_t at = 0;;) {
    const ssize_t n = pread(file_.get(), block.data(), block.size(), at);
    if (n == 0) return 0;
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    if (const int error = write_all(fd, {block.data(), static_cast<std::size_t>(n)}); error != 0) {
      return error;
    }
    at += n;
  }
}

void spool::clear() noexcept {
  memory_ = {};
  file_.reset();
  size_ = 0;
}

}  // namespace weir::tool
