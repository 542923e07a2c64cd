// SPDX-License-Identifier: MIT
#pragma once
// Users' names in formats that are UTF-8.

#include <string>
#include <string_view>

namespace weir::detail {

/// The text, with U+FFFD for each byte that belongs to no character of UTF-8.
[[nodiscard]] std::string valid_utf8(std::string_view text);

}  // namespace weir::detail
