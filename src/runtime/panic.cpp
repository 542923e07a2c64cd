// SPDX-License-Identifier: MIT
#include <cxxabi.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <typeinfo>

#include "runtime/dump.hpp"
#include "runtime/process.hpp"
#include "runtime/task.hpp"

namespace weir::detail {
namespace {

std::string type_name() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "unknown exception";
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> readable(
      abi::__cxa_demangle(type->name(), nullptr, nullptr, &status), std::free);
  return status == 0 ? readable.get() : type->name();
}

std::string message() {
  try {
    throw;
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "no message";
  }
}

}  // namespace

std::string current_exception_text() { return type_name() + ": " + message(); }

void escaped_exception(const task& t) noexcept {
  std::fprintf(stderr, "weir: an exception left %s: %s\n", describe_task(t).c_str(),
               current_exception_text().c_str());
  std::terminate();  // with the exception still at hand, for a terminate handler to look at
}

}  // namespace weir::detail
