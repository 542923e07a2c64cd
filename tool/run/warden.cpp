// SPDX-License-Identifier: MIT
#include "run/warden.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unordered_set>
#include <utility>

#include "error.hpp"
#include "run/process_group.hpp"

namespace weir::tool {
namespace {

constexpr std::size_t scratch_bytes = std::size_t{256} * 1024;
constexpr std::size_t requests_max = 1024;
constexpr std::uint64_t no_job = 0;  // jobs are counted from 1
constexpr int tag_bits = 2;

constexpr std::chrono::seconds shortage_max{10};
constexpr std::chrono::milliseconds look_every{100};
constexpr std::chrono::milliseconds look_at_stop_every{10};

/// Shortages that pass when another process ends.
bool passes(int error) {
  return error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE ||
         error == ENOSPC;  // what a user may watch with epoll
}

const char* remedy_of(int shortage) {
  switch (shortage) {
    case EMFILE: return "Raise the limit with ulimit -n";
    case ENOSPC: return "Try fewer --jobs, or raise fs.epoll.max_user_watches";
    case EAGAIN: return "Let other processes end, or raise ulimit -u";
    default: return "Let other processes end";
  }
}

/// What helps when a job's output cannot be kept.
const char* remedy_of_output(int error) {
  switch (error) {
    case EMFILE:
    case ENFILE: return remedy_of(error);
    case EFBIG: return "Raise the limit with ulimit -f";
    default: return "Make room there, or set TMPDIR";
  }
}

unique_fd checked(int fd, const char* what) {
  if (fd < 0) throw tool_error({what, std::strerror(errno), "Try fewer --jobs"});
  return unique_fd(fd);
}

}  // namespace

warden::warden(const warden_options& options, const signal_events& signals, cancel_func cancel)
    : options_(options),
      signals_(signals),
      cancel_(std::move(cancel)),
      requests_(requests_max),
      epoll_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll")),
      wake_(checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
      null_(checked(open("/dev/null", O_RDONLY | O_CLOEXEC), "/dev/null")),
      spawner_(signals.before(), options.files.before),
      scratch_(scratch_bytes) {
  for (const int error :
       {watch(wake_.get(), no_job, tag::out), watch(signals_.fd(), no_job, tag::err)}) {
    if (error != 0) throw tool_error({"epoll", std::strerror(error), remedy_of(error)});
  }
  thread_ = std::thread([this] { serve(); });
}

warden::~warden() { finish(); }

outcome warden::run(prepared_command& command, std::uint64_t number) {
  const channel<outcome> reply{1};
  requests_.send(request{number, &command, reply});
  (void)eventfd_write(wake_.get(), 1);
  return *reply.receive();  // always comes: see serve()
}

void warden::stop(stop_cause why) {
  stop_cause none = stop_cause::none;
  if (cause_.compare_exchange_strong(none, why)) (void)eventfd_write(wake_.get(), 1);
}

void warden::fail(tool_error why) {
  {
    const std::lock_guard lock(failing_);
    if (!failure_) failure_ = std::move(why);
  }
  stop(stop_cause::error);
}

void warden::finish() {
  if (!thread_.joinable()) return;
  finish_ = true;
  (void)eventfd_write(wake_.get(), 1);
  thread_.join();
}

// ------------------------------------------------------------------------------ the thread

void warden::serve() {
  for (;;) {
    try {
      put_in_order();
      if (over()) return;
      wait_for_events();
    } catch (...) {  // short of memory: what runs is ended, as by a signal
      fail(caught());
    }
  }
}

void warden::wait_for_events() {
  std::array<epoll_event, 128> events;
  const int n = epoll_wait(epoll_.get(), events.data(), events.size(), patience_ms());
  for (int i = 0; i < n; ++i) handle(events[static_cast<std::size_t>(i)]);
}

/// What has to be done after the events, whatever they were.
void warden::put_in_order() {
  if (cause_ != stop_cause::none) begin_stop();
  for (const std::uint64_t number : finished_) children_.erase(number);
  const bool room = !finished_.empty() || children_.empty();
  finished_.clear();
  if (room || stopping_) start_waiting();
  if (stopping_) check_grace();
  look_after_groups();
}

bool warden::over() const { return finish_ && children_.empty() && groups_left_.empty(); }

int warden::patience_ms() const {
  constexpr int try_every_ms = 50;
  if (short_since_ && !stopping_) return try_every_ms;
  const bool looks = !headless_.empty() || !groups_left_.empty();
  if (looks) return static_cast<int>(stopping_ ? look_at_stop_every.count() : look_every.count());
  if (!stopping_) return -1;
  if (killed_ || children_.empty()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(kill_at_ - clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

void warden::handle(const epoll_event& event) {
  const std::uint64_t number = event.data.u64 >> tag_bits;
  const auto which = static_cast<tag>(event.data.u64 & ((1U << tag_bits) - 1));
  if (number == no_job) {
    which == tag::out ? handle_wake() : handle_signals();
    return;
  }
  const auto found = children_.find(number);
  if (found == children_.end() || found->second.finished) return;
  child& c = found->second;
  switch (which) {
    case tag::pidfd: on_end(c); break;
    case tag::out: pull(c, c.out); break;
    case tag::err: pull(c, c.err); break;
  }
  finish_if_complete(c);
}

void warden::handle_wake() {
  eventfd_t count = 0;
  (void)eventfd_read(wake_.get(), &count);
  while (auto wish = requests_.try_receive()) waiting_.push_back(std::move(*wish));
  if (cause_ == stop_cause::none) start_waiting();
}

void warden::handle_signals() {
  while (const int number = signals_.next()) {
    if (number == SIGTSTP) {
      suspend();
      continue;
    }
    if (number == SIGCHLD) {
      give_up_users_of_terminal();
      continue;
    }
    if (++signals_taken_ == 1) {
      stop(stop_cause::signal);
      if (cause_ == stop_cause::signal) stop_signal_ = number;
    } else if (signals_taken_ == 2) {
      kill_at_ = clock::now();
    } else {
      signal_all(SIGKILL);
      _exit(status_signal + number);
    }
  }
}

/// A job is not in the terminal's foreground, so one that reads from it, or changes it, is stopped
/// by the kernel; and nobody would ever let it go on.
void warden::give_up_users_of_terminal() {
  siginfo_t how{};
  while (waitid(P_ALL, 0, &how, WSTOPPED | WNOHANG) == 0 && how.si_pid != 0) {
    if (how.si_status != SIGTTIN && how.si_status != SIGTTOU) continue;
    for (auto& [number, c] : children_) {
      if (c.ended() || c.group != how.si_pid) continue;
      c.give_up(fmt::format("stopped by {}, for a job cannot use the terminal",
                            signal_name(how.si_status)));
    }
  }
}

void warden::suspend() {
  for (const auto& [number, c] : children_) c.signal_group(SIGSTOP);
  const auto before = clock::now();
  suspend_self();
  if (stopping_ && signals_taken_ < 2) kill_at_ += clock::now() - before;
  for (const auto& [number, c] : children_) c.signal_group(SIGCONT);
}

// ------------------------------------------------------------------------------ the children

void warden::start_waiting() {
  while (!waiting_.empty() && start(waiting_.front())) waiting_.pop_front();
}

/// False when it has to wait.
bool warden::start(const request& wish) {
  outcome refused;
  refused.number = wish.number;
  if (stopping_) return wish.reply.try_send(std::move(refused));
  // It has its place before it runs: nobody would look after it if there were no memory for one.
  const auto at =
      children_.try_emplace(wish.number, wish.number, wish.reply, options_.memory_bytes).first;
  const int error = launch(at->second, *wish.command);
  if (error == 0) {
    short_since_.reset();
    return true;
  }
  children_.erase(at);
  if (passes(error)) {
    wait_out(error, wish.number);
    return false;
  }
  refused.how = ending::not_started;
  refused.why = std::strerror(error);
  return wish.reply.try_send(std::move(refused));
}

/// Makes it a process that is watched, or gives the errno that kept it from becoming one.
int warden::launch(child& c, prepared_command& command) {
  unique_fd out;
  unique_fd err;
  if (const int error = open_pipes(c, out, err); error != 0) return error;
  // A job that runs cannot be taken back. So its pidfd's place among what is watched is taken
  // before, by an end of a pipe: when there is none, the job has not begun.
  for (const int error :
       {watch(c.out.pipe.get(), c.number, tag::out), watch(c.err.pipe.get(), c.number, tag::err),
        watch(out.get(), no_job, tag::pidfd)}) {
    if (error != 0) return error;
  }
  spawn_result started =
      spawner_.start(command, environment_.of_job(c.number), {null_.get(), out.get(), err.get()});
  (void)epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, out.get(), nullptr);
  if (started.error != 0) return started.error;
  forget_group(started.pid);
  c.group = started.pid;
  c.pidfd = std::move(started.pidfd);
  const int error = watch(c.pidfd.get(), c.number, tag::pidfd);
  if (error != 0) {  // another program took the place at that moment
    c.signal_group(SIGKILL);
    pollfd end{c.pidfd.get(), POLLIN, 0};
    (void)poll(&end, 1, -1);
    (void)c.reap();
    fail(tool_error({fmt::format("job {}", c.number), std::strerror(error), remedy_of(error)}));
  }
  return error;
}

/// While children run, the end of one may end a shortage. Without any, others have to end it: that
/// is waited for, too, but not for ever.
void warden::wait_out(int shortage, std::uint64_t number) {
  if (!children_.empty()) return short_since_.reset();
  const auto now = clock::now();
  if (!short_since_) short_since_ = now;
  if (now - *short_since_ < shortage_max) return;
  fail(tool_error({fmt::format("job {}", number),
                   fmt::format("it cannot be started since {} s: {}", shortage_max.count(),
                               std::strerror(shortage)),
                   remedy_of(shortage)}));
}

/// Our ends do not block; the child's do.
int warden::open_pipes(child& c, unique_fd& out, unique_fd& err) const {
  for (auto [ours, theirs] : {std::pair{&c.out.pipe, &out}, std::pair{&c.err.pipe, &err}}) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return errno;
    ours->reset(ends[0]);
    theirs->reset(ends[1]);
    if (fcntl(ends[0], F_SETFL, O_RDONLY | O_NONBLOCK) != 0) return errno;
  }
  return 0;
}

int warden::watch(int fd, std::uint64_t number, tag which) const {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = number << tag_bits | static_cast<std::uint64_t>(which);
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

void warden::pull(child& c, output_stream& from) {
  if (!from.pipe) return;
  (void)from.pull(scratch_, c.keep_error);
  if (c.keep_error != 0) give_up(c);
}

/// Its output cannot be kept: ends the child and the run.
void warden::give_up(child& c) {
  const std::string why = fmt::format("job {}: its output cannot be kept in {}: {}", c.number,
                                      spool::folder(), std::strerror(c.keep_error));
  c.out.pipe.reset();
  c.err.pipe.reset();
  c.give_up("its output is lost");
  fail(tool_error({"output", why, remedy_of_output(c.keep_error)}));
}

/// It may have ended. While the run is being stopped, its output is waited for as long as anybody
/// of its group is left, who may be about to end; nobody waits for those who have left the group.
void warden::on_end(child& c) {
  if (!c.ended()) {
    if (!c.reap()) return;
    if (stopping_ && c.end.how == ending::killed) c.end.how = ending::stopped;
    if (c.group > 0) headless_.push_back(c.number);
  }
  c.read_rest(scratch_);
  if (stopping_ && c.group <= 0) c.cut_off();
  if (c.keep_error != 0) give_up(c);
}

void warden::finish_if_complete(child& c) {
  if (!c.complete()) return;
  outcome end = c.take_outcome();
  if (stopping_ && c.group > 0) groups_left_.push_back(c.group);
  (void)c.reply.try_send(std::move(end));
  c.finished = true;
  finished_.push_back(c.number);
}

// ------------------------------------------------------------------------------ the end

void warden::begin_stop() {
  if (stopping_) return;
  // Who has ended by now has ended by itself. What others of its group still write does not count:
  // they are about to be killed.
  for (auto& [number, c] : children_) {
    if (c.finished) continue;
    on_end(c);
    if (c.ended()) c.cut_off();
  }
  stopping_ = true;
  if (signals_taken_ < 2) kill_at_ = clock::now() + options_.grace;
  cancel_();
  signal_all(SIGTERM);
  signal_all(SIGCONT);  // or one that is stopped would not see it
  for (auto& [number, c] : children_) {
    if (!c.finished) finish_if_complete(c);
  }
}

void warden::signal_all(int signal) {
  for (const auto& [number, c] : children_) {
    if (!c.finished) c.signal_group(signal);
  }
  for (const pid_t group : groups_left_) (void)kill(-group, signal);
}

void warden::check_grace() {
  if (killed_ || clock::now() < kill_at_) return;
  killed_ = true;
  signal_all(SIGKILL);
}

/// Sees whether anybody is left of the groups that have lost their leader; who is left of them
/// after SIGKILL gets another. A zombie does not count then: who has to reap it may never do so.
void warden::look_after_groups() {
  if (headless_.empty() && groups_left_.empty()) return;
  const auto now = clock::now();
  if (!stopping_ && now < look_at_) return;
  look_at_ = now + look_every;
  std::optional<std::unordered_set<pid_t>> alive;
  const auto lives = [this, &alive](pid_t group) {
    if (!group_lives(group)) return false;
    if (!killed_) return true;
    if (!alive) alive = groups_without_zombies();
    return alive->contains(group);
  };
  std::erase_if(headless_, [&](std::uint64_t number) {
    const auto found = children_.find(number);
    if (found == children_.end()) return true;
    child& c = found->second;
    if (lives(c.group)) return false;
    c.group = -1;
    if (stopping_ && !c.finished) {
      on_end(c);
      finish_if_complete(c);
    }
    return true;
  });
  std::erase_if(groups_left_, [&](pid_t group) { return !lives(group); });
  if (killed_) signal_all(SIGKILL);
}

/// A new process has the number of that group: so nobody is left of it.
void warden::forget_group(pid_t group) {
  for (const std::uint64_t number : headless_) {
    const auto found = children_.find(number);
    if (found != children_.end() && found->second.group == group) found->second.group = -1;
  }
}

}  // namespace weir::tool
