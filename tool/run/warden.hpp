// SPDX-License-Identifier: MIT
#pragma once
// warden: the one thread that knows the children. It starts them, reads what they write, reaps
// them, and takes the signals that are sent to the tool; so no worker ever blocks its carrier, and
// no child outlives the run.
//
// Workers ask with run(), which waits as a task does. The thread sleeps in epoll_wait() until there
// is something to do: a request (an eventfd), a signal (a signalfd), the end of a child (its pidfd)
// or output (its pipes).
//
// The end of a run that is stopped: nothing is started any more, each child's process group gets
// SIGTERM, after the grace SIGKILL. A second signal sends SIGKILL at once, a third ends the tool.

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "error.hpp"
#include "run/child.hpp"
#include "run/open_files.hpp"
#include "run/signals.hpp"
#include "run/spawn.hpp"
#include "weir/context.hpp"

namespace weir::tool {

enum class stop_cause { none, signal, output_closed, error };

struct warden_options {
  std::chrono::milliseconds grace{2000};
  /// Memory for each stream of a child's output; the rest goes to a file.
  std::size_t memory_bytes = 0;
  file_budget files;
};

class warden {
 public:
  /// Starts the thread. `cancel` is called when the run is to stop, for whatever cause.
  warden(const warden_options& options, const signal_events& signals, cancel_func cancel);
  /// As finish().
  ~warden();
  warden(const warden&) = delete;
  warden& operator=(const warden&) = delete;

  /// Runs a command as job `number`, and waits until it has ended and everything it wrote is read.
  /// After a stop nothing is started: ending::not_run. Call it from a task.
  [[nodiscard]] outcome run(prepared_command& command, std::uint64_t number);
  /// Stops the run as a signal does, without a signal. From anywhere, any number of times.
  void stop(stop_cause why);
  /// As stop(), and keeps what main() is to say; the first one counts. From anywhere.
  void fail(tool_error why);
  /// Waits until no child is left, and ends the thread. Nobody may be in run() any more.
  void finish();

  /// Why the run was stopped: the first cause counts.
  [[nodiscard]] stop_cause cause() const noexcept { return cause_.load(); }
  /// After finish(): the signal that stopped the run.
  [[nodiscard]] int stop_signal() const noexcept { return stop_signal_; }
  /// After finish(): what fail() was first called with, here or by others.
  [[nodiscard]] const std::optional<tool_error>& failure() const noexcept { return failure_; }

 private:
  using clock = std::chrono::steady_clock;
  enum class tag : std::uint64_t { pidfd, out, err };

  void serve();
  void wait_for_events();
  void put_in_order();
  [[nodiscard]] bool over() const;
  [[nodiscard]] int patience_ms() const;
  void handle(const epoll_event& event);
  void handle_wake();
  void handle_signals();

  void start_waiting();
  [[nodiscard]] bool start(const request& wish);
  [[nodiscard]] int launch(child& c, prepared_command& command);
  void wait_out(int shortage, std::uint64_t number);
  [[nodiscard]] int open_pipes(child& c, unique_fd& out, unique_fd& err) const;
  /// Registers fd for epoll_wait(); the errno that kept it from doing so, or 0. Its events name the
  /// job, not the child, for they may come later than its end: closing a descriptor unregisters it
  /// only when the last copy is closed, and a program that is being started has copies of all of
  /// them, until execve() is through.
  [[nodiscard]] int watch(int fd, std::uint64_t number, tag which) const;
  void pull(child& c, output_stream& from);
  void give_up(child& c);
  void on_end(child& c);
  void finish_if_complete(child& c);
  void suspend();
  void give_up_users_of_terminal();

  void begin_stop();
  void signal_all(int signal);
  void check_grace();
  void look_after_groups();
  void forget_group(pid_t group);

  // Constant after construction.
  const warden_options options_;
  const signal_events& signals_;
  const cancel_func cancel_;
  const channel<request> requests_;
  unique_fd epoll_, wake_, null_;

  // Set by anyone, then wake_.
  std::atomic<stop_cause> cause_ = stop_cause::none;
  std::atomic<bool> finish_ = false;
  std::mutex failing_;  // guards the next
  std::optional<tool_error> failure_;

  // The thread's own; what has an accessor is read by others after finish().
  spawner spawner_;
  child_environment environment_;
  std::vector<char> scratch_;
  std::deque<request> waiting_;  // taken from requests_, not started yet
  std::unordered_map<std::uint64_t, child> children_;
  std::vector<std::uint64_t> finished_;  // to be removed when the round of events is over
  std::vector<std::uint64_t> headless_;  // have ended, but others of their group hold their pipes
  std::vector<pid_t> groups_left_;       // process groups that have outlived their job, at a stop
  clock::time_point look_at_{};          // when to look for who is left, at the earliest
  std::optional<clock::time_point> short_since_;  // since when none could be started, and none runs
  bool stopping_ = false;
  bool killed_ = false;
  clock::time_point kill_at_{};
  int signals_taken_ = 0;
  int stop_signal_ = 0;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace weir::tool
