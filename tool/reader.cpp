// SPDX-License-Identifier: MIT
#include "reader.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace weir::tool {

std::optional<std::string> record_reader::next_buffered() {
  for (;;) {
    const std::size_t end = buffer_.find(separator_, std::max(at_, scanned_));
    if (end == std::string::npos) {
      scanned_ = buffer_.size();
      return std::nullopt;
    }
    std::string record = buffer_.substr(at_, end - at_);
    at_ = end + 1;
    if (!record.empty()) return record;
  }
}

void record_reader::fill() {
  buffer_.erase(0, at_);
  scanned_ -= std::min(scanned_, at_);
  at_ = 0;
  std::array<pollfd, 2> watched{{{.fd = fd_, .events = POLLIN, .revents = 0},
                                 {.fd = stop_, .events = POLLIN, .revents = 0}}};
  while (::poll(watched.data(), watched.size(), -1) < 0 && errno == EINTR) {
  }
  if (watched[1].revents != 0) {
    ended_ = true;
    buffer_.clear();
    return;
  }
  std::array<char, 65536> chunk;
  const ssize_t n = ::read(fd_, chunk.data(), chunk.size());
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (n < 0) throw std::system_error(errno, std::generic_category(), "standard input");
  if (n == 0) ended_ = true;
  buffer_.append(chunk.data(), static_cast<std::size_t>(n));
}

std::optional<std::string> record_reader::next(bool may_block) {
  would_block_ = false;
  for (;;) {
    if (auto record = next_buffered()) return record;
    if (ended_) {
      std::string last = buffer_.substr(std::min(at_, buffer_.size()));
      buffer_.clear();
      at_ = scanned_ = 0;
      return last.empty() ? std::nullopt : std::optional(std::move(last));
    }
    if (!may_block) {
      would_block_ = true;
      return std::nullopt;
    }
    fill();
  }
}

}  // namespace weir::tool
