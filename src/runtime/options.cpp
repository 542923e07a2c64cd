// SPDX-License-Identifier: MIT
#include "runtime/options.hpp"

#include <charconv>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

#include "port/cpus.hpp"
#include "port/stack_memory.hpp"
#include "runtime/runtime_core.hpp"

namespace weir {

int default_carriers() {
  const char* wanted = std::getenv("WEIR_CARRIERS");
  if (wanted == nullptr || *wanted == '\0') {
    return std::min(port::usable_cpus(), detail::runtime_core::carriers_max);
  }
  const std::string_view text = wanted;
  int n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size() || n < 1 ||
      n > detail::runtime_core::carriers_max) {
    throw std::invalid_argument("weir: WEIR_CARRIERS is \"" + std::string(text) +
                                "\". Set it to a number from 1 to 1024, or not at all.");
  }
  return n;
}

namespace detail {

int checked_carriers(const runtime_options& options) {
  if (options.carriers < 0 || options.carriers > runtime_core::carriers_max) {
    throw std::invalid_argument("weir: runtime_options::carriers is " +
                                std::to_string(options.carriers) +
                                ". Use 1 to 1024, or 0 for the default.");
  }
  if (options.clock == clock_kind::virtual_time) {
    if (options.carriers > 1) {
      throw std::invalid_argument("weir: a runtime on virtual time has one carrier, not " +
                                  std::to_string(options.carriers) + ".");
    }
    return 1;
  }
  return options.carriers == 0 ? default_carriers() : static_cast<int>(options.carriers);
}

std::size_t checked_stack_size(const runtime_options& options) {
  constexpr std::size_t least = std::size_t{16} * 1024;
  constexpr std::size_t most = std::size_t{1024} * 1024 * 1024;
  if (options.stack_size < least || options.stack_size > most) {
    throw std::invalid_argument("weir: runtime_options::stack_size is " +
                                std::to_string(options.stack_size) +
                                " bytes. Use 16 KiB to 1 GiB.");
  }
  const std::size_t page = port::page_size();
  return (options.stack_size + page - 1) / page * page;
}

}  // namespace detail
}  // namespace weir
