// SPDX-License-Identifier: MIT
#include "runtime/return_by_jump.hpp"

#if defined(__x86_64__)
// What a function with the attribute jumps to instead of returning. Weak and hidden: a program that
// is compiled this way has one of its own. r11 is nobody's at a return. (notrack: what follows a
// call is no place that indirect jumps are expected at.)
asm(R"(
  .pushsection .text
  .weak __x86_return_thunk
  .hidden __x86_return_thunk
  .type __x86_return_thunk, @function
  .balign 16
__x86_return_thunk:
  .cfi_startproc
  popq %r11
  .cfi_adjust_cfa_offset -8
  .cfi_register %rip, %r11
  notrack jmpq *%r11
  .cfi_endproc
  .size __x86_return_thunk, . - __x86_return_thunk
  .popsection
)");
#endif
