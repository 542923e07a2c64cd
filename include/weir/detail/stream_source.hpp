// SPDX-License-Identifier: MIT
#pragma once
// Where the jobs of a stream come from: a channel, another stream, or any range. See process.hpp.
//
// What they have in common: next() is empty at the end, and when ctx is done. next_at_hand() is,
// too, where it would have to wait for what somebody sends. is_at_end() says, when ctx is done,
// whether it is known that there was no more to come.

#include <concepts>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>

#include "../channel.hpp"
#include "../context.hpp"
#include "../outcome.hpp"
#include "channel_halves.hpp"

namespace weir {

template <class R>
class stream;

namespace detail {

template <class R>
class stream_results;
struct stream_end;

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
  [[nodiscard]] bool is_at_end() const { return from_.closed() && from_.size() == 0; }

 private:
  receiver<T> from_;
};

/// The results of a stream, which is the caller's or, an rvalue, this one's own; or its outcomes.
/// It waits for them as for a channel's items, so that the stream above can be left meanwhile.
template <class R, bool Outcomes>
class stream_source {
 public:
  using value_type = std::conditional_t<Outcomes, outcome<R>, R>;
  explicit stream_source(stream<R>& from) : from_(from.state_.get()) {}
  explicit stream_source(stream<R>&& from) : own_(std::move(from.state_)), from_(own_.get()) {}
  explicit stream_source(const typename stream<R>::outcome_range& from) : from_(from.from_) {}
  explicit stream_source(typename stream<R>::outcome_range&& from)
      : own_(std::move(from.own_)), from_(from.from_) {}

  /// Throws what ended the other stream early: its failure, or the end of its context.
  std::optional<value_type> next(const context& ctx) {
    std::optional<outcome<R>> o = from_->template next<Outcomes>(&ctx);
    if (o) return value_of(std::move(*o));
    if (!ctx.cancelled()) from_->rethrow_cut_short(ctx);
    return std::nullopt;
  }
  std::optional<value_type> next_at_hand(const context& ctx) {
    if (ctx.cancelled()) return std::nullopt;
    while (std::optional<outcome<R>> o = from_->any_at_hand()) {
      if (Outcomes || o->has_value()) return value_of(std::move(*o));
    }
    return std::nullopt;
  }
  [[nodiscard]] bool is_at_end() const { return from_->is_used_up(); }
  /// Nobody wants any more of it.
  void leave() noexcept {
    if (own_) own_->cancel();
  }

 private:
  static std::optional<value_type> value_of(outcome<R>&& o) {
    if constexpr (Outcomes) {
      return std::move(o);
    } else {
      return std::optional<value_type>(std::in_place, std::move(o).value());
    }
  }

  std::unique_ptr<stream_results<R>, stream_end> own_;
  stream_results<R>* from_;
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
    ++taken_;
    // What is the stream's own is moved out of; what is the caller's is copied.
    if constexpr (owns_its_elements<View>) {
      return std::optional<value_type>(std::in_place, std::ranges::iter_move(*at_));
    } else {
      return std::optional<value_type>(std::in_place, **at_);
    }
  }
  std::optional<value_type> next_at_hand(const context& ctx) { return next(ctx); }
  /// (One that does not know its size is not asked for more only to find out.)
  [[nodiscard]] bool is_at_end() {
    if constexpr (std::ranges::forward_range<View> && std::ranges::sized_range<View>) {
      if (taken_ == static_cast<std::uint64_t>(std::ranges::size(view_))) return true;
    }
    return ended_;
  }

 private:
  View view_;
  std::optional<std::ranges::iterator_t<View>> at_;
  std::uint64_t taken_ = 0;
  bool ended_ = false;
};

template <class S>
inline constexpr bool is_stream = false;
template <class R>
inline constexpr bool is_stream<stream<R>> = true;

/// What stream::outcomes() gives.
template <class S>
concept stream_outcomes =
    is_stream<typename S::stream_type> && std::same_as<S, typename S::stream_type::outcome_range>;

template <class Source>
auto make_source(Source&& from) {
  using plain = std::remove_cvref_t<Source>;
  if constexpr (receivable<Source>) {
    return channel_source<typename plain::value_type>(from);
  } else if constexpr (is_stream<plain>) {
    return stream_source<typename plain::value_type, false>(std::forward<Source>(from));
  } else if constexpr (stream_outcomes<plain>) {
    return stream_source<typename plain::stream_type::value_type, true>(std::forward<Source>(from));
  } else {
    static_assert(std::ranges::input_range<Source>, "process: jobs come from a channel or a range");
    if constexpr (std::is_lvalue_reference_v<Source> && !std::ranges::viewable_range<Source>) {
      return range_source(std::ranges::ref_view(from));  // a view that has no copy: a generator
    } else {
      return range_source(std::views::all(std::forward<Source>(from)));
    }
  }
}
template <class Source>
using source_of = decltype(make_source(std::declval<Source>()));

}  // namespace detail
}  // namespace weir
