// SPDX-License-Identifier: MIT
#pragma once
// spool: keeps what a job wrote to one of its streams until it is printed. A little of it in
// memory, more in a file that has no name, so that nothing is left behind however the tool ends.
//
// Thread safety: one thread at a time.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "unique_fd.hpp"

namespace weir::tool {

class spool {
 public:
  spool() = default;
  /// Moves to a file when it would hold more than `memory_bytes_max`.
  explicit spool(std::size_t memory_bytes_max) : memory_bytes_max_(memory_bytes_max) {}

  /// Adds bytes; the errno that kept it from doing so, or 0.
  [[nodiscard]] int append(std::string_view bytes);
  /// Writes everything to fd. The errno that kept it from doing so, or 0.
  [[nodiscard]] int copy_to(int fd) const;
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] bool in_file() const noexcept { return static_cast<bool>(file_); }
  /// Forgets everything.
  void clear() noexcept;

  /// Where the files are: TMPDIR, or else /tmp.
  [[nodiscard]] static const char* folder() noexcept;

 private:
  [[nodiscard]] int move_to_file();

  std::size_t memory_bytes_max_ = 0;
  std::uint64_t size_ = 0;
  std::string memory_;  // all of it, while there is no file
  unique_fd file_;      // all of it, once there is one
};

}  // namespace weir::tool
