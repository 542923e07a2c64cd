// SPDX-License-Identifier: MIT
#pragma once
// reader: a thread that turns standard input into jobs. It waits when the channel is full, so the
// input is read no faster than jobs are done, and of a record without end it keeps no more than can
// be an argument.

#include <cstdint>
#include <string>
#include <string_view>
#include <thread>

#include "options.hpp"
#include "run/job.hpp"
#include "unique_fd.hpp"
#include "weir/channel.hpp"
#include "weir/context.hpp"

namespace weir::tool {

class reader {
 public:
  /// Starts to read; closes `jobs` at the end of the input, after an error, and when ctx is done.
  reader(const context& ctx, separator ends, const channel<job>& jobs);
  /// Stops reading, even in the middle of a wait for input, and joins.
  ~reader();
  reader(const reader&) = delete;
  reader& operator=(const reader&) = delete;

  /// Stops reading and joins; what follows is then final.
  void finish();
  /// The errno that ended the input early, or 0.
  [[nodiscard]] int error() const noexcept { return error_; }
  /// Was the whole input read?
  [[nodiscard]] bool at_end() const noexcept { return at_end_; }
  /// Jobs that were made of it: those in the channel, too.
  [[nodiscard]] std::uint64_t jobs_read() const noexcept { return number_; }

 private:
  void read_all();
  /// Bytes read, 0 at the end of the input, negative when it is over for another reason.
  [[nodiscard]] ssize_t read_some(char* buffer, std::size_t size);
  /// False when ctx is done.
  [[nodiscard]] bool take(std::string_view bytes);
  [[nodiscard]] bool end_record();
  void keep(std::string_view bytes);

  const context ctx_;
  const separator ends_;
  const channel<job> jobs_;
  unique_fd stop_;  // an eventfd that interrupts the wait for input
  // Touched by the thread, and by others after finish().
  std::string record_;
  std::uint64_t length_ = 0;
  std::uint64_t number_ = 0;
  int error_ = 0;
  bool at_end_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace weir::tool
