// SPDX-License-Identifier: MIT
#pragma once
// The three descriptors every program is born with, and how to write to them.

#include <cstddef>
#include <string_view>

namespace weir::tool {

/// Makes sure that 0, 1 and 2 are taken, so that no file of ours ends up there: one that was closed
/// is opened in the wrong direction, and using it fails as it should.
void open_standard_streams();

/// Writes all of `text`; the errno that kept it from doing so, or 0.
[[nodiscard]] int write_all(int fd, std::string_view text) noexcept;

/// Would writing `size` bytes to fd return at once, as far as poll() can tell?
[[nodiscard]] bool writes_at_once(int fd, std::size_t size) noexcept;

/// write_all() to standard output; throws tool_error.
void print_text(std::string_view text);

}  // namespace weir::tool
