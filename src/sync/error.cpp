// SPDX-License-Identifier: MIT
#include "weir/error.hpp"

namespace weir {
namespace {

class weir_category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "weir"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<errc>(value)) {
      case errc::cancelled: return "cancelled";
      case errc::deadline_exceeded: return "deadline exceeded";
      case errc::closed: return "closed";
      case errc::full: return "full";
      case errc::dropped: return "dropped";
      case errc::forked: return "used in a forked child";
    }
    return value == 0 ? "ok" : "unknown";
  }
  [[nodiscard]] std::error_condition default_error_condition(int value) const noexcept override {
    switch (static_cast<errc>(value)) {
      case errc::cancelled: return std::errc::operation_canceled;
      case errc::deadline_exceeded: return std::errc::timed_out;
      default: return {value, *this};
    }
  }
};

}  // namespace

const std::error_category& category() noexcept {
  // Never destroyed: an error may be looked at during static destruction.
  alignas(weir_category) static std::byte room[sizeof(weir_category)];
  static const auto* const instance = ::new (room) weir_category;
  return *instance;
}

}  // namespace weir
