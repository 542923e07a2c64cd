// SPDX-License-Identifier: MIT
#pragma once
// Address space for stacks, taken from the kernel many at a time.

#include <cstddef>

namespace weir::port {

[[nodiscard]] std::size_t page_size() noexcept;
/// What a std::thread's stack may grow to, as the limits of this process are.
[[nodiscard]] std::size_t thread_stack_size() noexcept;
/// The lowest address of the calling thread's own stack; null if that can not be found out. Slow.
[[nodiscard]] const std::byte* thread_stack_bottom() noexcept;

/// Reserves `count` stacks of `bytes` each, side by side; null when the kernel refuses. Pages
/// become real when touched. The lowest page of each is a guard, as long as guards can be had:
/// newer kernels (6.13) have guards that cost no mapping; before, mprotect splits mappings, of
/// which a process may have some 65,000, so guards stop after the first 16,384 stacks.
[[nodiscard]] std::byte* map_stacks(std::size_t count, std::size_t bytes) noexcept;
void unmap_stacks(std::byte* base, std::size_t count, std::size_t bytes) noexcept;
/// Gives the pages of [base, base + bytes) back; they read as zero afterwards. Guards stay.
void discard_pages(std::byte* base, std::size_t bytes) noexcept;

}  // namespace weir::port
