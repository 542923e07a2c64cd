// SPDX-License-Identifier: MIT
#include "runtime/return_by_jump.hpp"

#if defined(__x86_64__)
// What a function with the attribute jumps to instead of returning. Weak and hidden: a program that
// is compiled this way has one of its own. It changes nothing but the stack's end, as a return,
// for compilers know which registers a function of theirs leaves alone (-fipa-ra); below that end
// an interruption leaves 128 bytes alone. (notrack: what follows a call is no place that indirect
// jumps are expected at.)
asm(R"(
  .pushsection .text
  .weak __x86_return_thunk
  .hidden __x86_return_thunk
  .type __x86_return_thunk, @function
  .balign 16
__x86_return_thunk:
  .cfi_startproc
  leaq 8(%rsp), %rsp
  .cfi_adjust_cfa_offset -8
  notrack jmpq *-8(%rsp)
  .cfi_endproc
  .size __x86_return_thunk, . - __x86_return_thunk
  .popsection
)");
#endif
