// SPDX-License-Identifier: MIT
#pragma once
// select: waits for the first of several things, and does exactly one of them, as in Go.
//
//   weir::select(
//       weir::on_receive(jobs, [&](std::optional<int> job) { … }),   // empty: closed and drained
//       weir::on_send(results, r, [&] { … }),
//       weir::on_done(ctx, [&] { … }),
//       weir::after(80ms, [&] { … }));
//
// Of the cases that are ready one is chosen uniformly at random; if none is, select waits, or runs
// otherwise(f) if there is one. The callback runs after the transfer, outside of every lock, in the
// caller. The losers' values stay with their owners. Returns the index of the chosen case.
//
// The decision is atomic over all channels: `otherwise` is chosen only if at one instant no case
// could proceed. A nil channel or background() is never ready; a select of nothing else blocks for
// ever. A send case on a closed channel is ready, and throws channel_closed if chosen.
// To look at a context first, use the forms that take one, or ask ctx.cancelled() in the callback.
// Cost: O(cases) locks to decide, twice that to wait. Same channel in many cases: their weight.

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include "channel.hpp"
#include "context.hpp"
#include "detail/channel_elements.hpp"
#include "detail/channel_halves.hpp"
#include "detail/duration.hpp"
#include "detail/select_cases.hpp"

namespace weir {

/// Ready when `ch` has a value or is closed: f gets std::optional<T>, empty for the latter; or
/// nothing.
template <detail::receivable Ch, class F = detail::do_nothing>
[[nodiscard]] auto on_receive(Ch&& ch, F f = {}) {
  auto channel = detail::channel_for_case(std::forward<Ch>(ch));
  return detail::receive_case<decltype(channel), F>(std::move(channel), std::move(f));
}

/// Ready when `ch` can take a value. An lvalue is copied (a move-only one is moved from if this
/// case is chosen); an rvalue is moved from only if this case is chosen, and is its owner's
/// otherwise. Several cases may stand for one such value: whichever is chosen has it. What is not
/// copied must outlive the case: make that in the call of select(), or of something that has a
/// name. (A select_case takes the value over.)
template <detail::sendable Ch, class F = detail::do_nothing>
[[nodiscard]] auto on_send(Ch&& ch, const detail::value_type_of<Ch>& v, F f = {})
  requires std::copy_constructible<detail::value_type_of<Ch>>
{
  using T = detail::value_type_of<Ch>;
  return detail::make_send_case(std::forward<Ch>(ch), detail::owned_value<T>{v}, std::move(f));
}
template <detail::sendable Ch, class F = detail::do_nothing>
[[nodiscard]] auto on_send(Ch&& ch, detail::value_type_of<Ch>& v WEIR_OUTLIVES_RESULT, F f = {})
  requires(!std::copy_constructible<detail::value_type_of<Ch>>)
{
  using T = detail::value_type_of<Ch>;
  return detail::make_send_case(std::forward<Ch>(ch), detail::borrowed_value<T>{std::addressof(v)},
                                std::move(f));
}
template <detail::sendable Ch, class F = detail::do_nothing>
[[nodiscard]] auto on_send(Ch&& ch, detail::value_type_of<Ch>&& v, F f = {})
  requires detail::is_plain_data<detail::value_type_of<Ch>>
{
  using T = detail::value_type_of<Ch>;
  return detail::make_send_case(std::forward<Ch>(ch), detail::owned_value<T>{v}, std::move(f));
}
template <detail::sendable Ch, class F = detail::do_nothing>
[[nodiscard]] auto on_send(Ch&& ch, detail::value_type_of<Ch>&& v WEIR_OUTLIVES_RESULT, F f = {})
  requires(!detail::is_plain_data<detail::value_type_of<Ch>>)
{
  using T = detail::value_type_of<Ch>;
  return detail::make_send_case(std::forward<Ch>(ch), detail::borrowed_value<T>{std::addressof(v)},
                                std::move(f));
}

/// Ready when ctx is done.
template <class Ctx, class F = detail::do_nothing>
  requires std::same_as<std::remove_cvref_t<Ctx>, context>
[[nodiscard]] auto on_done(Ctx&& ctx, F f = {}) {
  if constexpr (std::is_lvalue_reference_v<Ctx>) {
    return detail::done_case<detail::borrowed_context, F>({&ctx}, std::move(f));
  } else {
    return detail::done_case<detail::held_context, F>({std::forward<Ctx>(ctx)}, std::move(f));
  }
}

/// Ready `wait` after the select began; at once if not positive.
template <class Rep, class Period, class F = detail::do_nothing>
[[nodiscard]] auto after(std::chrono::duration<Rep, Period> wait, F f = {}) {
  return detail::simple_case<F>(
      {.kind = detail::case_kind::timeout, .wait = detail::to_nanoseconds(wait)}, std::move(f));
}

/// Chosen when no other case is ready: makes the select non-blocking. At most one; its place among
/// the cases does not matter.
template <class F = detail::do_nothing>
[[nodiscard]] auto otherwise(F f = {}) {
  return detail::simple_case<F>({.kind = detail::case_kind::otherwise}, std::move(f));
}

/// See above. With no case at all it blocks for ever, as Go's `select {}`.
template <detail::selectable... Cases>
std::size_t select(Cases&&... cases) {
  using detail::case_role;
  std::size_t chosen = 0;
  bool decided = false;
  if constexpr (detail::count_of<case_role::channel, std::remove_cvref_t<Cases>...> == 1 &&
                detail::count_of<case_role::context, std::remove_cvref_t<Cases>...> <= 1 &&
                detail::count_of<case_role::other, std::remove_cvref_t<Cases>...> == 0) {
    decided = detail::select_one(chosen, cases...);
  }
  if (!decided) {
    detail::interruption_point("select");
    const detail::boxed_values boxes(cases...);
    const std::array<detail::select_record, sizeof...(Cases)> records{cases.record()...};
    chosen = detail::select_records(records);
  }
  std::size_t i = 0;
  (void)((i++ == chosen && (cases.run(), true)) || ...);
  return chosen;
}

/// A case whose kind is known only at run time. Made from any of the above. It may be used in one
/// select after the other, but for a send case whose value has been sent (unless T is trivially
/// copyable, and can be copied): that throws std::logic_error.
class select_case {
 public:
  template <class C>
    requires(!std::same_as<std::remove_cvref_t<C>, select_case>)
  select_case(C c)  // NOLINT: a list of cases reads best without conversions
      : self_(keep(std::move(c))) {}
  [[nodiscard]] detail::select_record record() { return self_->record(); }
  void run() { self_->run(); }

 private:
  struct concept_base {
    virtual ~concept_base() = default;
    virtual detail::select_record record() = 0;
    virtual void run() = 0;
  };
  template <class C>
  struct model final : concept_base {
    explicit model(C&& c) : item(std::move(c)) {}
    /// What c borrows is taken over here, when there is memory for it.
    template <class Borrowing>
    model(std::in_place_t, Borrowing& c) : item(std::move(c).kept()) {}
    detail::select_record record() override { return item.record(); }
    void run() override { item.run(); }
    C item;
  };
  template <class C>
  static std::unique_ptr<concept_base> keep(C c) {
    if constexpr (requires { std::move(c).kept(); }) {
      using kept = decltype(std::move(c).kept());
      return std::make_unique<model<kept>>(std::in_place, c);
    } else {
      return std::make_unique<model<C>>(std::move(c));
    }
  }
  std::unique_ptr<concept_base> self_;
};

/// The runtime-sized form, for up to 65,536 cases (std::length_error beyond, as in Go).
std::size_t select(std::span<select_case> cases);

}  // namespace weir
