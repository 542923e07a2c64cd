// SPDX-License-Identifier: MIT
#include "child.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <string_view>

#include "options.hpp"

namespace weir::tool {
namespace {

constexpr std::string_view placeholder = "{}";

std::error_code last_error() noexcept { return {errno, std::generic_category()}; }

struct pipe_ends {
  unique_fd read;
  unique_fd write;
};

std::error_code make_pipe(pipe_ends& ends) noexcept {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return last_error();
  ends.read = unique_fd(fds[0]);
  ends.write = unique_fd(fds[1]);
  // Only our end does not block: the child's is its own.
  ::fcntl(ends.read.get(), F_SETFL, O_NONBLOCK);
  return {};
}

/// Everything that the child needs between vfork and exec, made before: it may not allocate.
struct launch {
  std::vector<char*> argv;
  std::vector<char*> environment;
  std::string job_variable;
  int null = -1;
  int out = -1;
  int err = -1;
};

launch prepare(const std::vector<std::string>& arguments, std::uint64_t number) {
  launch l;
  for (const std::string& a : arguments) l.argv.push_back(const_cast<char*>(a.c_str()));
  l.argv.push_back(nullptr);
  l.job_variable = fmt::format("WEIR_JOB={}", number);
  for (char** e = environ; *e != nullptr; ++e) {
    if (!std::string_view(*e).starts_with("WEIR_JOB=")) l.environment.push_back(*e);
  }
  l.environment.push_back(l.job_variable.data());
  l.environment.push_back(nullptr);
  return l;
}

/// In the child. Shares our memory until the exec: system calls only.
[[noreturn]] void become(const launch& l, volatile int& error) noexcept {
  ::setpgid(0, 0);
  // If we are killed without a chance to stop them, they go too. The thread that starts a child waits
  // for it, so its end is ours.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  ::sigaction(SIGPIPE, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::dup2(l.null, STDIN_FILENO) >= 0 && ::dup2(l.out, STDOUT_FILENO) >= 0 &&
      ::dup2(l.err, STDERR_FILENO) >= 0) {
    ::execvpe(l.argv[0], l.argv.data(), l.environment.data());
  }
  error = errno;
  ::_exit(status_not_found);
}

/// The child's pid; 0, and the error, if it could not be started. vfork and not fork: the cost does not
/// grow with our memory, and the child's failure to exec is known when it returns.
[[gnu::noinline]] pid_t start(const launch& l, std::error_code& error) noexcept {
  volatile int failure = 0;
  const pid_t pid = ::vfork();
  if (pid == 0) become(l, failure);
  if (pid < 0) {
    error = last_error();
    return 0;
  }
  if (failure != 0) {
    error = {failure, std::generic_category()};
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return 0;
  }
  return pid;
}

/// Moves what is there into the spool; false when the stream has ended.
bool drain(int fd, spool& into, std::error_code& problem) {
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n == 0) return false;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN;
    // After a failure the rest is read and dropped, so that the child does not block on a full pipe.
    if (!problem) problem = into.append({buffer.data(), static_cast<std::size_t>(n)});
  }
}

/// Reads both streams until the process behind `pidfd` has ended.
void collect(int pidfd, const unique_fd& out, const unique_fd& err, outcome& o,
             std::error_code& problem) {
  std::array<pollfd, 3> watched{{{.fd = pidfd, .events = POLLIN, .revents = 0},
                                 {.fd = out.get(), .events = POLLIN, .revents = 0},
                                 {.fd = err.get(), .events = POLLIN, .revents = 0}}};
  bool ended = false;
  while (!ended) {
    if (::poll(watched.data(), watched.size(), -1) < 0) continue;  // EINTR
    ended = watched[0].revents != 0;  // what it wrote before is in the pipes, and read below
    if (watched[1].fd >= 0 && !drain(watched[1].fd, o.out, problem)) watched[1].fd = -1;
    if (watched[2].fd >= 0 && !drain(watched[2].fd, o.err, problem)) watched[2].fd = -1;
  }
}

std::string how_it_ended(pid_t pid, running_children& running) {
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
  running.remove(pid);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    return fmt::format("killed by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  }
  return WEXITSTATUS(status) == 0 ? "" : fmt::format("exit {}", WEXITSTATUS(status));
}

std::string joined(const std::vector<std::string>& words) {
  constexpr std::size_t shown_max = 200;  // of a message
  std::string all;
  for (const std::string& w : words) all += (all.empty() ? "" : " ") + w;
  if (all.size() > shown_max) all = all.substr(0, shown_max) + "…";
  return all;
}

}  // namespace

// ---- running_children ---------------------------------------------------------------------------

void running_children::signal_all(int signal) noexcept {
  const std::lock_guard lock(m_);
  signal_ = signal;
  for (const pid_t group : groups_) ::kill(-group, signal);
}

void running_children::add(pid_t group) {
  const std::lock_guard lock(m_);
  groups_.insert(group);
  if (signal_ != 0) ::kill(-group, signal_);
}

void running_children::remove(pid_t group) noexcept {
  const std::lock_guard lock(m_);
  groups_.erase(group);
  // Told to stop: what the job has left behind in its group goes as well. The group's number is still
  // its own, for its first process has not been reaped.
  if (signal_ != 0) ::kill(-group, SIGKILL);
}

// ---- a job --------------------------------------------------------------------------------------

std::vector<std::string> arguments_for(const std::vector<std::string>& command,
                                       const std::string& record) {
  std::vector<std::string> arguments = command;
  bool found = false;
  for (std::string& a : arguments) {
    for (std::size_t at = a.find(placeholder); at != std::string::npos;
         at = a.find(placeholder, at + record.size())) {
      a.replace(at, placeholder.size(), record);
      found = true;
    }
  }
  if (!found) arguments.push_back(record);
  return arguments;
}

outcome run_child(const job& j, const std::vector<std::string>& command,
                  running_children& running) {
  outcome o;
  o.number = j.number;
  const std::vector<std::string> arguments = arguments_for(command, j.record);
  o.command = joined(arguments);
  launch l = prepare(arguments, j.number);
  pipe_ends out;
  pipe_ends err;
  const unique_fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  std::error_code error = null ? std::error_code() : last_error();
  if (!error) error = make_pipe(out);
  if (!error) error = make_pipe(err);
  pid_t pid = 0;
  if (!error) {
    l.null = null.get();
    l.out = out.write.get();
    l.err = err.write.get();
    pid = start(l, error);
  }
  if (pid == 0) {
    o.problem = fmt::format("cannot start: {}", error.message());
    return o;
  }
  running.add(pid);
  out.write.reset();
  err.write.reset();
  const unique_fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  std::error_code problem;
  collect(pidfd.get(), out.read, err.read, o, problem);
  o.problem = how_it_ended(pid, running);
  if (problem) o.problem = fmt::format("cannot keep its output: {}", problem.message());
  return o;
}

void check_command(const std::string& name) {
  if (name.find(placeholder) != std::string::npos) return;  // known only with the job
  const char* path = std::getenv("PATH");
  std::istringstream directories(name.find('/') != std::string::npos ? "" : path != nullptr ? path : "/usr/bin:/bin");
  bool exists = false;
  const auto can_run = [&](const std::string& file) {
    struct stat s {};
    if (::stat(file.c_str(), &s) != 0) return false;
    exists = true;
    return S_ISREG(s.st_mode) && ::access(file.c_str(), X_OK) == 0;
  };
  if (name.find('/') != std::string::npos) {
    if (can_run(name)) return;
  } else {
    for (std::string directory; std::getline(directories, directory, ':');) {
      if (can_run((directory.empty() ? "." : directory) + "/" + name)) return;
    }
  }
  if (exists) {
    throw user_error(fmt::format("{}: not executable. Make it so with chmod +x.", name),
                     status_not_executable);
  }
  throw user_error(fmt::format("{}: command not found. Check its spelling and PATH.", name),
                   status_not_found);
}

}  // namespace weir::tool
