// SPDX-License-Identifier: MIT
#pragma once
// reader: a task that turns standard input into jobs. It waits when the channel is full, so the
// input is read no faster than jobs are done, and of a record without end it keeps no more than can
// be an argument.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "options.hpp"
#include "run/job.hpp"
#include "unique_fd.hpp"
#include "weir/channel.hpp"
#include "weir/context.hpp"
#include "weir/sync.hpp"

namespace weir::tool {

class reader {
 public:
  /// Starts to read; closes `jobs` at the end of the input, after an error, and when `run` is done.
  reader(const context& run, separator ends, const channel<job>& jobs);
  /// As finish().
  ~reader();
  reader(const reader&) = delete;
  reader& operator=(const reader&) = delete;

  /// Stops reading, even in the middle of a wait for input or for the channel; what follows
  /// is final after it.
  void finish();
  /// The errno that ended the input early, or 0.
  [[nodiscard]] int error() const noexcept { return error_; }
  /// Was the whole input read?
  [[nodiscard]] bool at_end() const noexcept { return at_end_; }
  /// Jobs that were made of it: those in the channel, too.
  [[nodiscard]] std::uint64_t jobs_read() const noexcept { return number_; }

 private:
  reader(cancellable_context own, separator ends, const channel<job>& jobs);
  void read_all();
  /// Bytes read, 0 at the end of the input, negative when it is over for another reason.
  [[nodiscard]] ssize_t read_some(char* buffer, std::size_t size);
  /// Waits for input; false when told to stop, or on an error.
  [[nodiscard]] bool wait_for_input();
  /// False when ctx is done.
  [[nodiscard]] bool take(std::string_view bytes);
  [[nodiscard]] bool end_record();
  void keep(std::string_view bytes);

  const context ctx_;  // ends with the one it was given, and at finish()
  const cancel_func cancel_;
  const separator ends_;
  const channel<job> jobs_;
  const unique_fd stop_;  // an eventfd that interrupts the wait for input
  const unique_fd pipe_;  // standard input without waiting, if that can be
  const int input_;       // where to read
  const wait_group task_;
  // Touched by the task, and by others after finish().
  std::string record_;
  std::uint64_t length_ = 0;
  std::uint64_t number_ = 0;
  int error_ = 0;
  bool at_end_ = false;
};

}  // namespace weir::tool
