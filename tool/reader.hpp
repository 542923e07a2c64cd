// SPDX-License-Identifier: MIT
#pragma once
// Reads records from a file descriptor as they come.

#include <optional>
#include <string>

namespace weir::tool {

class record_reader {
 public:
  /// Reading ends early when `stop` becomes readable.
  record_reader(int fd, int stop, char separator) noexcept
      : fd_(fd), stop_(stop), separator_(separator) {}

  /// The next record that is not empty, without its separator; the last needs none. Empty at the end.
  /// Blocks the thread only if `may_block`; otherwise empty, with would_block(), when that is needed.
  /// Throws std::system_error if reading fails.
  [[nodiscard]] std::optional<std::string> next(bool may_block);
  [[nodiscard]] bool would_block() const noexcept { return would_block_; }

 private:
  [[nodiscard]] std::optional<std::string> next_buffered();
  void fill();

  int fd_;
  int stop_;
  char separator_;
  std::string buffer_;
  std::size_t at_ = 0;       // before it everything has been given out
  std::size_t scanned_ = 0;  // before it there is no separator
  bool ended_ = false;
  bool would_block_ = false;
};

}  // namespace weir::tool
