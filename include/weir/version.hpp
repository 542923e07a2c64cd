// SPDX-License-Identifier: MIT
#pragma once
// The version of the headers you compile against. This file is the only place where the version
// is written down: CMake, pkg-config and `weir --version` all read it from here.
//
//   static_assert(weir::version_major == 0);
//   std::cout << "weir " << weir::version << '\n';

#include <string_view>

#define WEIR_VERSION_MAJOR 0
#define WEIR_VERSION_MINOR 1
#define WEIR_VERSION_PATCH 0

#define WEIR_DETAIL_TEXT_OF(number) #number
#define WEIR_DETAIL_VERSION(major, minor, patch) \
  WEIR_DETAIL_TEXT_OF(major) "." WEIR_DETAIL_TEXT_OF(minor) "." WEIR_DETAIL_TEXT_OF(patch)

namespace weir {

inline constexpr int version_major = WEIR_VERSION_MAJOR;
inline constexpr int version_minor = WEIR_VERSION_MINOR;
inline constexpr int version_patch = WEIR_VERSION_PATCH;

// version is "major.minor.patch".
inline constexpr std::string_view version =
    WEIR_DETAIL_VERSION(WEIR_VERSION_MAJOR, WEIR_VERSION_MINOR, WEIR_VERSION_PATCH);

}  // namespace weir

#undef WEIR_DETAIL_VERSION
#undef WEIR_DETAIL_TEXT_OF
