// SPDX-License-Identifier: MIT
#pragma once
// Where the jobs of a stream come from: a channel, or any range. See process.hpp.

#include <concepts>
#include <iterator>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>

#include "../channel.hpp"
#include "../context.hpp"

namespace weir::detail {

/// Where jobs come from; next() is empty at the end, and when ctx is done. next_at_hand() is, too,
/// where it would have to wait for what somebody sends.
template <class T>
class channel_source {
 public:
  using value_type = T;
  explicit channel_source(receiver<T> from) : from_(std::move(from)) {}
  std::optional<T> next(const context& ctx) { return from_.receive(ctx); }
  std::optional<T> next_at_hand(const context& ctx) {
    if (ctx.cancelled()) return std::nullopt;
    auto found = from_.try_receive();
    if (!found) return std::nullopt;
    return std::move(*found);
  }

 private:
  receiver<T> from_;
};

template <class View>
inline constexpr bool owns_its_elements = false;
template <class Range>
inline constexpr bool owns_its_elements<std::ranges::owning_view<Range>> = true;

template <std::ranges::input_range View>
class range_source {
 public:
  using value_type = std::ranges::range_value_t<View>;
  explicit range_source(View view) : view_(std::move(view)) {}
  std::optional<value_type> next(const context& ctx) {
    if (ctx.cancelled() || ended_) return std::nullopt;
    if (at_) {
      ++*at_;
    } else {
      at_.emplace(std::ranges::begin(view_));
    }
    ended_ = *at_ == std::ranges::end(view_);
    if (ended_) return std::nullopt;
    // What is the stream's own is moved out of; what is the caller's is copied.
    if constexpr (owns_its_elements<View>) {
      return std::optional<value_type>(std::in_place, std::ranges::iter_move(*at_));
    } else {
      return std::optional<value_type>(std::in_place, **at_);
    }
  }
  std::optional<value_type> next_at_hand(const context& ctx) { return next(ctx); }

 private:
  View view_;
  std::optional<std::ranges::iterator_t<View>> at_;
  bool ended_ = false;
};

template <class Ch>
concept job_channel =
    std::convertible_to<Ch, receiver<typename std::remove_cvref_t<Ch>::value_type>>;

template <class Source>
auto make_source(Source&& from) {
  if constexpr (job_channel<Source>) {
    return channel_source<typename std::remove_cvref_t<Source>::value_type>(from);
  } else {
    static_assert(std::ranges::input_range<Source>, "process: jobs come from a channel or a range");
    return range_source(std::views::all(std::forward<Source>(from)));
  }
}
template <class Source>
using source_of = decltype(make_source(std::declval<Source>()));

}  // namespace weir::detail
