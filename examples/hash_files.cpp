// SPDX-License-Identifier: MIT
// Files hashed in parallel, printed as sha256sum prints them, in the order in which they are found.
//
//   hash_files [directory]
//
// However many files there are, at most as many are open as there are workers, and the listing of
// the directory waits for them. A file that cannot be read is reported, and the others go on.
#include <nettle/sha2.h>
#include <weir/weir.hpp>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <ranges>
#include <string>
#include <system_error>
#include <utility>

namespace fs = std::filesystem;

std::string sha256_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::system_error(errno, std::generic_category(), path.string());
  sha256_ctx state;
  sha256_init(&state);
  std::array<char, 65536> block;
  while (in.read(block.data(), block.size()), in.gcount() > 0) {
    sha256_update(&state, static_cast<std::size_t>(in.gcount()),
                  reinterpret_cast<const std::uint8_t*>(block.data()));
  }
  if (in.bad()) throw std::system_error(errno, std::generic_category(), path.string());
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest;
  sha256_digest(&state, digest.size(), digest.data());
  std::string text;
  for (const unsigned byte : digest) {
    text += {"0123456789abcdef"[byte >> 4U], "0123456789abcdef"[byte & 15U]};
  }
  return text;
}

int main(int argc, char** argv) try {
  auto files = fs::recursive_directory_iterator(argc > 1 ? argv[1] : ".") |
               std::views::filter([](const auto& entry) { return entry.is_regular_file(); });
  auto lines = weir::process_ordered(
      weir::background(), std::move(files), {.on_error = weir::on_error::collect},
      [](const fs::directory_entry& file) {
        return sha256_of(file.path()) + "  " + file.path().string() + '\n';
      });
  int status = 0;
  for (const auto& line : lines.outcomes()) {
    try {
      std::cout << line.value();
    } catch (const std::exception& e) {
      std::cerr << "hash_files: " << e.what() << '\n';
      status = 1;
    }
  }
  return status;
} catch (const std::exception& e) {  // no such directory
  std::cerr << "hash_files: " << e.what() << '\n';
  return 2;
}
