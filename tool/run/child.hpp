// SPDX-License-Identifier: MIT
#pragma once
// child: a running job: its process, the pipes it writes to, and what has come out of them.

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "run/command.hpp"
#include "run/job.hpp"
#include "unique_fd.hpp"
#include "weir/channel.hpp"

namespace weir::tool {

/// A worker's wish, and where it waits for the outcome. The command is the worker's, which waits.
struct request {
  std::uint64_t number = 0;
  prepared_command* command = nullptr;
  sender<outcome> reply;
};

/// One of a child's two output streams.
struct output_stream {
  unique_fd pipe;  // our end; closed when everything has been read
  spool kept;

  /// What became of reading from it: nothing there now, read something, all of it is read.
  enum class state { waiting, progress, ended };
  /// Reads at most as much as `scratch` holds. Sets `error` when it could not be kept.
  [[nodiscard]] state pull(std::span<char> scratch, int& error);
};

struct child {
  child(std::uint64_t job_number, sender<outcome> to, std::size_t memory_bytes)
      : number(job_number), reply(std::move(to)) {
    out.kept = spool(memory_bytes);
    err.kept = spool(memory_bytes);
  }

  std::uint64_t number;
  sender<outcome> reply;
  // Its process group, which has the number of the process; -1: nobody is left. The kernel may give
  // the number to others when nobody is left, so once the process is reaped that is looked for.
  pid_t group = -1;
  unique_fd pidfd;  // closed when it has ended and is reaped
  output_stream out, err;
  outcome end;            // filled in by reap() and take_outcome()
  std::string given_up;   // why it was killed: see give_up()
  int keep_error = 0;     // errno when its output could not be kept
  bool finished = false;  // replied; only waits to be removed

  [[nodiscard]] bool ended() const noexcept { return !pidfd; }
  /// Has it ended, and everything it wrote been read?
  [[nodiscard]] bool complete() const noexcept { return ended() && !out.pipe && !err.pipe; }
  /// Sends a signal to its process group.
  void signal_group(int signal) const noexcept;
  /// Reaps it, if it has ended; how it ended is in `end` then. At once, though others of its group
  /// may still hold the pipes: they may be waiting for it to be gone.
  [[nodiscard]] bool reap();
  /// Reads what is there of its output.
  void read_rest(std::span<char> scratch);
  /// Closes the pipes that others still hold: the rest of its output is lost, so the job counts as
  /// stopped.
  void cut_off();
  /// Kills it and its group; it has failed then, with that cause.
  void give_up(std::string why);
  /// How it ended and what it wrote.
  [[nodiscard]] outcome take_outcome();
};

}  // namespace weir::tool
