// SPDX-License-Identifier: MIT
#pragma once
// One stream of a job's output, kept until the job ends: the first part in memory, the rest in a file
// without a name, which the kernel removes with us whatever happens.

#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

namespace weir::tool {

/// A file descriptor that closes itself.
class unique_fd {
 public:
  unique_fd() = default;
  explicit unique_fd(int fd) noexcept : fd_(fd) {}
  unique_fd(unique_fd&& other) noexcept : fd_(other.release()) {}
  unique_fd& operator=(unique_fd&& other) noexcept;
  ~unique_fd() { reset(); }
  [[nodiscard]] int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int release() noexcept;
  void reset() noexcept;

 private:
  int fd_ = -1;
};

/// Writes all of it, whatever it takes.
[[nodiscard]] std::error_code write_all(int fd, std::string_view bytes) noexcept;

class spool {
 public:
  static constexpr std::size_t memory_max = std::size_t{1} << 20;

  /// Keeps bytes; on an error (a full disk) what came so far stays.
  [[nodiscard]] std::error_code append(std::string_view bytes);
  /// Writes everything to fd.
  [[nodiscard]] std::error_code copy_to(int fd) const;
  [[nodiscard]] bool empty() const noexcept { return memory_.empty(); }

 private:
  [[nodiscard]] std::error_code open_file();

  std::string memory_;
  unique_fd file_;  // when memory_ is full
};

}  // namespace weir::tool
