// SPDX-License-Identifier: MIT
#include "weir/detail/sanitizers.hpp"

#if defined(WEIR_TSAN)
const char weir_library_was_not_built_with_thread_sanitizer = 0;
#endif
