// SPDX-License-Identifier: MIT
#pragma once
// WEIR_TSAN is defined where ThreadSanitizer is at work.

#if defined(__SANITIZE_THREAD__)
#define WEIR_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEIR_TSAN 1
#endif
#endif
