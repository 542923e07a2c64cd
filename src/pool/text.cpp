// SPDX-License-Identifier: MIT
#include "pool/text.hpp"

#include <cstddef>
#include <cstdint>

namespace weir::detail {
namespace {

/// How many bytes the character has with which the text begins; 0 if it begins with none. Not one
/// are those that are longer than they need to be, surrogates, and what is beyond U+10FFFF.
std::size_t character_size(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (size == 0 || first > 0xF4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  }
  const unsigned second = byte(1);
  const bool is_one = (first != 0xE0 || second >= 0xA0) && (first != 0xED || second < 0xA0) &&
                      (first != 0xF0 || second >= 0x90) && (first != 0xF4 || second < 0x90);
  return is_one ? size : 0;
}

}  // namespace

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t size = character_size(text);
    out += size > 0 ? text.substr(0, size) : std::string_view("\xEF\xBF\xBD");
    text.remove_prefix(size > 0 ? size : 1);
  }
  return out;
}

}  // namespace weir::detail
