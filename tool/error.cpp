// SPDX-License-Identifier: MIT
#include "error.hpp"

#include <exception>
#include <new>
#include <system_error>

namespace weir::tool {

tool_error caught() {
  try {
    throw;
  } catch (const tool_error& e) {
    return e;
  } catch (const std::bad_alloc&) {
    return tool_error({"memory", "there is not enough", "Try fewer --jobs"});
  } catch (const std::system_error& e) {
    const bool crowded = e.code() == std::errc::resource_unavailable_try_again;
    return tool_error({crowded ? "threads" : "system", e.code().message(),
                       crowded ? "Let other processes end, or raise ulimit -u" : ""});
  } catch (const std::exception& e) {
    return tool_error({"internal error", e.what(), "Please report it"});
  }
}

std::string printable(std::string_view text) {
  std::string shown;
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(at);
    std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 1;  // UTF-8
    for (std::size_t i = 1; i < size; ++i) {
      if (at + i >= text.size() || (byte(at + i) & 0xC0U) != 0x80U) size = 1;
    }
    const bool c0 = first < 0x20 || first == 0x7F;
    const bool c1 =
        size == 1 ? first >= 0x80 && first < 0xA0 : first == 0xC2 && byte(at + 1) < 0xA0;
    if (c0 || c1)
      shown += '?';
    else
      shown += text.substr(at, size);
    at += size;
  }
  return shown;
}

}  // namespace weir::tool
