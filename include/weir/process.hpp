// SPDX-License-Identifier: MIT
#pragma once
// process: jobs in, results out, through a crew of workers, in bounded memory.
//
//   for (int value : weir::process(ctx, jobs, {.workers = 3}, [](int job) { return job * job; }))
//     std::cout << value << '\n';                         // as they are done
//   for (auto& page : weir::process_ordered(ctx, urls, {.workers = 8}, fetch)) …   // in order
//   std::vector<int> lengths = weir::map(ctx, names, {}, [](const std::string& s) { … });
//   weir::for_each(ctx, files, {.workers = 4}, [](const weir::context& c, const path& p) { … });
//
// Jobs come from a channel (until it is closed), from another stream, or from any input range: a
// container, a view, a generator, an endless one. f takes (job) or (const context&, job), is shared
// by all workers, and so called by several at once.
//
// A job is a value: moved out of a channel, a stream, or a range that is an rvalue; a copy of the
// element of a range that is an lvalue, or a view. What f does to it, the range does not see. To
// work in place, let the jobs be the elements' addresses, or indices:
//
//   auto cells = grid | std::views::transform([](cell& c) { return &c; });
//   weir::for_each(ctx, cells, {.workers = 4}, [](cell* c) { c->step(); });
//
// Stages: weir::process(ctx, weir::process(ctx, urls, {…}, fetch), {…}, parse). The stream above
// can be left, cancelled and fail at any time, also while that below has nothing for it; one that
// is given as an rvalue is its own, and ends with it. A failure below is a failure of the source.
// A *range* that blocks (a view of a channel, a generator that reads a socket) is waited for: until
// it gives something the stream can not end. Give the channel itself, and do in f what the view
// would.
//
// Guarantees
//   - At most .workers jobs run, .queue wait, and .queue results (in order: a .window of jobs and
//     results together) are kept: memory is bounded whatever the length of the input, and a slow
//     consumer slows the source.
//   - The first failure cancels the rest and is rethrown from the loop. With .on_error =
//     on_error::collect nothing is cancelled: outcomes() gives each job's end; a loop over values
//     gives all there are, and then rethrows the first failure. Nothing is silent.
//   - When ctx is done a loop ends; ctx.error() says why. What gives all or nothing (for_each,
//     to_vector(), a std::vector from map, a stream above this one with another context) throws
//     std::system_error with ctx's error instead, if ctx ended before all was done: jobs were not
//     run, or it is not known that there are none. (A range without a size may have more.)
//   - Leaving the loop early (break, exception) cancels and joins: when the stream is gone, nothing
//     of it runs, and nothing touches the source.
// A source that fails (a generator that throws) is a failure like a job's, and the last outcome.
// Retries: each attempt gets the same job, a copy if f may use it up. A job that can not be copied
// has to be const T& for f, which must be no template.
// Small jobs: .batch of them go to a worker together; see there.
// Thread safety: one loop over a stream at a time.

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "context.hpp"
#include "detail/loop_reference.hpp"
#include "detail/stream_base.hpp"
#include "detail/stream_call.hpp"
#include "detail/stream_source.hpp"
#include "detail/stream_state.hpp"
#include "outcome.hpp"
#include "pool.hpp"

namespace weir {

/// What process() and its kin return: a single-pass input range of results. Its destructor cancels
/// what is left and waits for what runs; but one that is static, or whose runtime has given up, for
/// nothing that never ends: that, with the source and f, stays until the process ends.
template <class R>
class stream {
 public:
  using value_type = R;

  explicit stream(detail::stream_ptr<R> s) : state_(std::move(s)) {}

  template <bool Outcomes>
  class basic_iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = std::conditional_t<Outcomes, outcome<R>, R>;
    using difference_type = std::ptrdiff_t;

    using reference = std::conditional_t<Outcomes, outcome<R>&, detail::loop_reference<R>>;

    explicit basic_iterator(detail::stream_results<R>& s) : from_(&s) { ++*this; }
    /// Of an R that cannot be copied R&& (for `auto&&`, not `auto&`), else R&; of outcomes
    /// outcome<R>&.
    [[nodiscard]] reference operator*() const noexcept { return static_cast<reference>(found()); }
    [[nodiscard]] value_type* operator->() const noexcept { return std::addressof(found()); }
    basic_iterator& operator++() {
      item_.reset();
      item_ = from_->template next<Outcomes>();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const basic_iterator& it, std::default_sentinel_t) noexcept {
      return !it.item_.has_value();
    }

   private:
    [[nodiscard]] value_type& found() const noexcept {
      if constexpr (Outcomes) {
        return *item_;
      } else {
        return item_->value();
      }
    }
    detail::stream_results<R>* from_;
    mutable std::optional<outcome<R>> item_;
  };

  using iterator = basic_iterator<false>;
  [[nodiscard]] iterator begin() { return iterator(*state_); }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

  /// The same results as a range of outcome<R>, failures included. Uses the stream up; of a stream
  /// that is a temporary the range is the owner, so that a loop may be over process(…).outcomes().
  class outcome_range {
   public:
    using stream_type = stream;
    explicit outcome_range(detail::stream_results<R>& s) : from_(&s) {}
    explicit outcome_range(detail::stream_ptr<R> s) : own_(std::move(s)), from_(own_.get()) {}
    [[nodiscard]] auto begin() const { return basic_iterator<true>(*from_); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

   private:
    template <class, bool>
    friend class detail::stream_source;
    detail::stream_ptr<R> own_;
    detail::stream_results<R>* from_;
  };
  [[nodiscard]] outcome_range outcomes() & { return outcome_range(*state_); }
  [[nodiscard]] outcome_range outcomes() && { return outcome_range(std::move(state_)); }

  /// All that come, in a vector; rethrows the first failure. Throws std::system_error if the
  /// context ended before all was done.
  [[nodiscard]] std::vector<R> to_vector() {
    std::vector<R> all;
    for (auto&& value : *this) all.push_back(std::move(value));
    state_->rethrow_cut_short("weir::stream::to_vector");
    return all;
  }
  operator std::vector<R>() && { return to_vector(); }  // NOLINT: `std::vector<int> v = map(…)`

  /// Counts of its jobs so far.
  [[nodiscard]] pool_stats stats() const { return state_->stats(); }

 private:
  template <class, bool>
  friend class detail::stream_source;
  detail::stream_ptr<R> state_;
};

namespace detail {

template <class Source, class F>
auto make_stream(const context& ctx, Source&& jobs, process_options options, F f,
                 stream_kind kind) {
  check_callable(f, "process");
  using from = source_of<Source>;
  using T = typename from::value_type;
  static_assert(stream_function<F, T>, "process: f takes (job) or (const context&, job)");
  using R = stream_result<F, T>;
  return stream_ptr<R>(new stream_state<from, F, R>(
      ctx, options, kind, make_source(std::forward<Source>(jobs)), std::move(f)));
}

}  // namespace detail

/// Runs f for each job; results as they are done. Throws std::invalid_argument that names an option
/// out of range. A range that is an lvalue must live as long as the stream.
template <class Source, class F>
[[nodiscard]] auto process(const context& ctx, Source&& jobs, process_options options, F f) {
  return stream(detail::make_stream(ctx, std::forward<Source>(jobs), std::move(options),
                                    std::move(f), detail::stream_kind::as_done));
}
/// The same; results in the order of the jobs, at most `window` of them ahead of the loop.
template <class Source, class F>
[[nodiscard]] auto process_ordered(const context& ctx, Source&& jobs, process_options options,
                                   F f) {
  return stream(detail::make_stream(ctx, std::forward<Source>(jobs), std::move(options),
                                    std::move(f), detail::stream_kind::in_order));
}
/// process_ordered under the name that ranges know it by; becomes a std::vector when asked to,
/// which has all, or throws: see to_vector().
template <class Source, class F>
[[nodiscard]] auto map(const context& ctx, Source&& jobs, process_options options, F f) {
  return process_ordered(ctx, std::forward<Source>(jobs), std::move(options), std::move(f));
}
/// Runs f for each job, and waits for all; rethrows the first failure. Ends when ctx is done: that
/// is a std::system_error with its error, if not all has been done.
template <class Source, class F>
void for_each(const context& ctx, Source&& jobs, process_options options, F f) {
  const auto all = detail::make_stream(ctx, std::forward<Source>(jobs), std::move(options),
                                       std::move(f), detail::stream_kind::failures);
  (void)all->template next<false>();  // the end: no values are put
  all->rethrow_cut_short("weir::for_each");
}

/// The four with default options.
template <class Source, class F>
[[nodiscard]] auto process(const context& ctx, Source&& jobs, F f) {
  return process(ctx, std::forward<Source>(jobs), process_options{}, std::move(f));
}
template <class Source, class F>
[[nodiscard]] auto process_ordered(const context& ctx, Source&& jobs, F f) {
  return process_ordered(ctx, std::forward<Source>(jobs), process_options{}, std::move(f));
}
template <class Source, class F>
[[nodiscard]] auto map(const context& ctx, Source&& jobs, F f) {
  return map(ctx, std::forward<Source>(jobs), process_options{}, std::move(f));
}
template <class Source, class F>
void for_each(const context& ctx, Source&& jobs, F f) {
  for_each(ctx, std::forward<Source>(jobs), process_options{}, std::move(f));
}

}  // namespace weir
