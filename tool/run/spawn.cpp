// SPDX-License-Identifier: MIT
#include "run/spawn.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <string_view>

#include "error.hpp"
#include "weir/detail/sanitizers.hpp"

namespace weir::tool {
namespace {

constexpr std::string_view job_variable = "WEIR_JOB=";
constexpr std::size_t stack_bytes = std::size_t{64} * 1024;

// ThreadSanitizer takes clone for fork, and dies of a child on the parent's memory. Then the child
// gets a copy; its errno comes back all the same, for the page it leaves it in is shared.
constexpr int memory_flag = detail::with_tsan ? 0 : CLONE_VM;

/// What the child needs to know, and where it leaves its errno: it shares our memory, and we wait.
struct child_plan {
  prepared_command& command;
  char** environment;
  spawn_files files;
  const inherited_signals& signals;
  const std::optional<rlimit>& open_files;
  pid_t parent;
  volatile int& error;
};

/// Runs in the child, on the tool's memory: nothing but system calls. Returns only on failure.
void become_program(child_plan& plan) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != plan.parent) _exit(status_not_found);
  if (plan.open_files) setrlimit(RLIMIT_NOFILE, &*plan.open_files);
  if (dup2(plan.files.in, STDIN_FILENO) < 0 || dup2(plan.files.out, STDOUT_FILENO) < 0 ||
      dup2(plan.files.err, STDERR_FILENO) < 0) {
    return;
  }
  if (plan.signals.child_ignored) signal(SIGCHLD, SIG_IGN);  // in our own table, not the parent's
  sigprocmask(SIG_SETMASK, &plan.signals.blocked, nullptr);
  prepared_command& command = plan.command;
  execve(command.program.c_str(), command.argv.data() + 1, plan.environment);
  if (errno != ENOEXEC) return;
  command.argv[0] = const_cast<char*>("/bin/sh");  // a script without a `#!` line
  command.argv[1] = command.program.data();
  execve(command.argv[0], command.argv.data(), plan.environment);
}

int child_main(void* argument) {
  auto& plan = *static_cast<child_plan*>(argument);
  become_program(plan);
  plan.error = errno;
  _exit(status_not_found);
}

}  // namespace

child_environment::child_environment() : job_(job_variable.begin(), job_variable.end()) {
  job_.resize(job_variable.size() + 24);
  variables_.push_back(job_.data());
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!std::string_view(*variable).starts_with(job_variable)) variables_.push_back(*variable);
  }
  variables_.push_back(nullptr);
}

char** child_environment::of_job(std::uint64_t number) {
  *fmt::format_to(job_.data() + job_variable.size(), "{}", number) = '\0';
  return variables_.data();
}

spawner::spawner(const inherited_signals& signals, std::optional<rlimit> open_files)
    : signals_(signals),
      open_files_(open_files),
      stack_(mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {
  if (stack_ == MAP_FAILED) throw std::bad_alloc();
}

spawner::~spawner() { munmap(stack_, stack_bytes); }

spawn_result spawner::start(prepared_command& command, char** environment, spawn_files files) {
  auto& error = *static_cast<volatile int*>(stack_);  // the far end: the child needs less
  error = 0;
  child_plan plan{command, environment, files, signals_, open_files_, getpid(), error};
  int pidfd = -1;
  // CLONE_VFORK: we go on when the child has executed the program, or has failed to.
  const int how = memory_flag | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;
  const pid_t pid = clone(child_main, static_cast<char*>(stack_) + stack_bytes, how, &plan, &pidfd);
  spawn_result result;
  if (pid < 0) {
    result.error = errno;
    return result;
  }
  result.pidfd.reset(pidfd);
  if (error != 0) {
    siginfo_t gone{};
    while (waitid(P_PIDFD, static_cast<id_t>(pidfd), &gone, WEXITED) != 0 && errno == EINTR) {
    }
    result.error = error;
    return result;
  }
  result.pid = pid;
  return result;
}

}  // namespace weir::tool
