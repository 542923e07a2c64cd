// SPDX-License-Identifier: MIT
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>

#include "port/stack_memory.hpp"
#include "runtime/carrier.hpp"
#include "runtime/process.hpp"

namespace weir::detail {
namespace {

struct sigaction previous;

/// Only what may be done in a signal handler: no allocation, no locks.
void report(const task& t) {
  char text[256];
  // With the header at its top, and what shifts it from others': as it was asked for.
  const std::size_t page = port::page_size();
  const std::size_t whole = (t.stack_size + page - 1) / page * page;
  const int n = std::snprintf(
      text, sizeof text,
      "weir: stack overflow in task %llu%s%s%s: its stack is %zu KiB. Give it more with "
      "runtime_options::stack_size, or recurse less.\n",
      static_cast<unsigned long long>(std::uint64_t{t.id}), t.name[0] != '\0' ? " '" : "", t.name,
      t.name[0] != '\0' ? "'" : "", whole / 1024);
  if (n > 0) (void)!write(STDERR_FILENO, text, static_cast<std::size_t>(n));
}

/// Not ours: as if we were not here.
void pass_on(int signal, siginfo_t* info, void* context) {
  static std::atomic<bool> used{false};
  // Ordering: relaxed; of a handler that is good for one signal, the first is the one.
  const bool used_up = (previous.sa_flags & static_cast<int>(SA_RESETHAND)) != 0 &&
                       used.exchange(true, std::memory_order_relaxed);
  const bool has_handler = previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN;
  if (has_handler && !used_up) {
    if ((previous.sa_flags & SA_SIGINFO) != 0) {
      previous.sa_sigaction(signal, info, context);
    } else {
      previous.sa_handler(signal);
    }
    return;
  }
  if (previous.sa_handler == SIG_IGN && info->si_code <= 0) return;
  struct sigaction fallback {};
  fallback.sa_handler = SIG_DFL;
  sigaction(signal, &fallback, nullptr);  // the instruction faults again, with the default action
  if (info->si_code <= 0) raise(signal);  // no instruction does: it is delivered when we return
}

void on_fault(int signal, siginfo_t* info, void* context) {
  const task* t = carrier::current_task();
  const auto* fault = static_cast<const std::byte*>(info->si_addr);
  const bool sent = info->si_code <= 0;  // by raise() or kill(): there is no address
  if (t != nullptr && !sent && fault >= t->stack && fault < t->stack + port::page_size()) {
    report(*t);
    std::abort();
  }
  pass_on(signal, info, context);
}

}  // namespace

void install_overflow_report() {
  if (sanitized) return;  // they report it themselves
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &previous);
  });
}

void use_alternate_stack() {
  if (sanitized) return;
  stack_t current{};
  if (sigaltstack(nullptr, &current) != 0 || (current.ss_flags & SS_DISABLE) == 0) return;
  constexpr std::size_t size = std::size_t{32} * 1024;
  // Belongs to the thread: taken out of use before it is freed.
  struct alternate {
    const std::unique_ptr<std::byte[]> memory{new (std::nothrow) std::byte[size]};
    ~alternate() {
      stack_t off{};
      off.ss_flags = SS_DISABLE;
      sigaltstack(&off, nullptr);
    }
  };
  thread_local const alternate mine;
  if (mine.memory == nullptr) return;  // an overflow will not be reported
  stack_t stack{};
  stack.ss_sp = mine.memory.get();
  stack.ss_size = size;
  sigaltstack(&stack, nullptr);
}

}  // namespace weir::detail
