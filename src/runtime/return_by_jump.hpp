// SPDX-License-Identifier: MIT
#pragma once
// How an operation that has switched goes back to its caller. A processor foresees where a return
// leads from the calls that it remembers; after a switch those are the calls of the task that was
// left, so the first return of the task that goes on is always a surprise, of some 15 ns on recent
// processors. An indirect jump is foreseen from where such jumps have led before, and tasks that
// wait again and again wait at few places.
//
//   WEIR_RETURN_BY_JUMP bool wait_here(…);                  // as good as always switches
//   bool take(…) { return try_take(…) || wait_here(…); }    // calls it last, so jumps to it
//
// Only for what switches: each call that is not returned from leaves the processor one that it
// remembers in vain, and then the caller's own return is the surprise. And called last: what is
// between the switch and the user's code returns once.
//
// (The compilers' attribute is meant for returns that keep the processor from guessing at all, the
// retpolines of 2018. What the name stands for is ours to say: return_by_jump.cpp.)

// Where calls are kept on a shadow stack of the processor's a return must be one; and g++ has no
// such jump for code of more than two gigabytes.
#if defined(__x86_64__) && !(defined(__CET__) && (__CET__ & 2)) && !defined(__code_model_large__)
#define WEIR_RETURN_BY_JUMP [[gnu::noinline, gnu::function_return("thunk-extern")]]
#else
#define WEIR_RETURN_BY_JUMP [[gnu::noinline]]
#endif
