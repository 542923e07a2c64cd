// SPDX-License-Identifier: MIT
// Hashes every file at or below its arguments (or here), on all CPUs at once, and prints the sums
// as sha256sum does (but escapes no names), in the order in which they were found. What cannot be
// read is reported, and the rest goes on; the exit code is then 1. Memory is bounded.
//   example_hash_files /usr/include > sums; sha256sum --check --quiet sums
#include <nettle/sha2.h>
#include <weir/weir.hpp>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace fs = std::filesystem;

namespace {

struct file_sum {
  fs::path path;
  std::error_code error;
  std::string hex;
};

/// Sends the files below a folder, and the folders that cannot be read.
void walk(const weir::context& ctx, const fs::path& folder, const weir::channel<file_sum>& found) {
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && !ctx.cancelled() && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code unknown;  // neither kind then: it has just gone
    const fs::file_status status = entry->symlink_status(unknown);
    if (fs::is_directory(status)) walk(ctx, entry->path(), found);
    if (fs::is_regular_file(status)) (void)found.send(ctx, {entry->path(), {}, {}});
  }
  if (error) (void)found.send(ctx, {folder, error, {}});
}

std::error_code last_error() { return {errno, std::generic_category()}; }

file_sum hash(file_sum file) {
  if (file.error) return file;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(std::fopen(file.path.c_str(), "rb"),
                                                           std::fclose);
  if (!in) return {file.path, last_error(), {}};
  sha256_ctx sha;
  sha256_init(&sha);
  std::array<std::uint8_t, 32768> block;
  while (const std::size_t n = std::fread(block.data(), 1, block.size(), in.get()))
    sha256_update(&sha, n, block.data());
  if (std::ferror(in.get()) != 0) return {file.path, last_error(), {}};

  std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest;
  sha256_digest(&sha, digest.size(), digest.data());
  for (const std::uint8_t byte : digest) {
    file.hex += "0123456789abcdef"[byte >> 4];
    file.hex += "0123456789abcdef"[byte & 15];
  }
  return file;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<fs::path> roots(argv + 1, argv + argc);
  if (roots.empty()) roots.emplace_back(".");

  weir::channel<file_sum> found{64};
  // Looking through folders blocks a thread, so it gets one. Its end, however main ends, is a stop.
  const std::jthread walker([&](const std::stop_token& stop) {
    const weir::context ctx(stop);
    for (const fs::path& root : roots) {
      std::error_code unreadable;  // opening it will tell
      if (fs::is_directory(root, unreadable))
        walk(ctx, root, found);
      else if (!found.send(ctx, {root, {}, {}}))
        break;
    }
    found.close();
  });

  bool all_read = true;
  // Reading files blocks a thread, too: so the workers are threads, as many as there are CPUs.
  for (const file_sum& file :
       weir::process_ordered(weir::background(), found, {.host = weir::host::threads}, hash)) {
    if (file.error) std::cerr << file.path.string() << ": " << file.error.message() << '\n';
    if (!file.error) std::cout << file.hex << "  " << file.path.string() << '\n';
    all_read = all_read && !file.error;
  }
  return all_read && std::cout.flush() ? 0 : 1;
}
