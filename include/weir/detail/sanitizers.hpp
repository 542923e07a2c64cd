// SPDX-License-Identifier: MIT
#pragma once
// Which sanitizer is at work: WEIR_ASAN is defined with AddressSanitizer, WEIR_TSAN with
// ThreadSanitizer, for the preprocessor; the constants say the same where an `if` will do.

#if defined(__SANITIZE_ADDRESS__)
#define WEIR_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEIR_ASAN 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define WEIR_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEIR_TSAN 1
#endif
#endif

// A library that was not built with it does not tell it of switches between stacks. Of that
// ThreadSanitizer makes races that are none: such a program does not link with such a library.
// (AddressSanitizer is mistaken only where an exception or a longjmp leaves frames of a task.)
#if defined(WEIR_TSAN)
extern "C" const char weir_library_was_not_built_with_thread_sanitizer;
#endif

namespace weir::detail {

#if defined(WEIR_TSAN)
[[gnu::used]] inline const char* const tsan_is_told =
    &weir_library_was_not_built_with_thread_sanitizer;
#endif

// Not inline: what a sanitizer was not told to look at may be in the same program.
#if defined(WEIR_ASAN)
constexpr bool with_asan = true;
#else
constexpr bool with_asan = false;
#endif
#if defined(WEIR_TSAN)
constexpr bool with_tsan = true;
#else
constexpr bool with_tsan = false;
#endif

}  // namespace weir::detail
