// SPDX-License-Identifier: MIT
#pragma once
// process: jobs in, results out, through a crew of workers, in bounded memory.
//
//   for (int value : weir::process(ctx, jobs, {.workers = 3}, [](int job) { return job * job; }))
//     std::cout << value << '\n';                         // as they are done
//   for (auto& page : weir::process_ordered(ctx, urls, {.workers = 8}, fetch)) …   // in order
//   std::vector<int> lengths = weir::map(ctx, names, {}, [](const std::string& s) { … });
//   weir::for_each(ctx, files, {.workers = 4}, [](const weir::context& ctx, const path& p) { … });
//
// Jobs come from a channel (until it is closed) or from any input range: a container, a view, a
// generator, an endless one. f takes (job) or (const context&, job), is shared by all workers, and
// so called by several at once.
//
// Guarantees
//   - At most .workers jobs run, .queue wait, and .queue results (in order: a .window of jobs and
//     results together) are kept: memory is bounded whatever the length of the input, and a slow
//     consumer slows the source.
//   - The first failure cancels the rest and is rethrown from the loop. With .on_error =
//     on_error::collect nothing is cancelled: outcomes() gives each job's end; a loop over values
//     gives all there are, and then rethrows the first failure. Nothing is silent.
//   - When ctx is done the loop ends; ctx.error() says why.
//   - Leaving the loop early (break, exception) cancels and joins: when the stream is gone, nothing
//     of it runs, and nothing touches the source.
// A source that fails (a generator that throws) is a failure like a job's.
// Thread safety: one loop over a stream at a time.

#include <concepts>
#include <cstdint>
#include <exception>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "channel.hpp"
#include "context.hpp"
#include "detail/job.hpp"
#include "detail/stream_base.hpp"
#include "outcome.hpp"
#include "pool.hpp"
#include "sync.hpp"

namespace weir {

namespace detail {

/// Where jobs come from; next() is empty at the end, and when ctx is done.
template <class T>
class channel_source {
 public:
  using value_type = T;
  explicit channel_source(receiver<T> from) : from_(std::move(from)) {}
  std::optional<T> next(const context& ctx) { return from_.receive(ctx); }

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
    if (ctx.cancelled()) return std::nullopt;
    if (at_) {
      ++*at_;
    } else {
      at_.emplace(std::ranges::begin(view_));
    }
    if (*at_ == std::ranges::end(view_)) return std::nullopt;
    // What is the stream's own is moved out of; what is the caller's is copied.
    if constexpr (owns_its_elements<View>) {
      return std::optional<value_type>(std::in_place, std::ranges::iter_move(*at_));
    } else {
      return std::optional<value_type>(std::in_place, **at_);
    }
  }

 private:
  View view_;
  std::optional<std::ranges::iterator_t<View>> at_;
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

template <class F, class T>
inline constexpr bool stream_takes_context = std::invocable<F&, const context&, T>;
template <class F, class T>
concept stream_function = stream_takes_context<F, T> || std::invocable<F&, T>;

template <class F, class T>
decltype(auto) call_stream(F& f, [[maybe_unused]] const context& ctx, T&& item) {
  if constexpr (stream_takes_context<F, T>) {
    return f(ctx, std::forward<T>(item));
  } else {
    return f(std::forward<T>(item));
  }
}

/// What a stream gives: f's result, or monostate for a function without.
template <class F, class T>
using stream_result = std::conditional_t<
    std::is_void_v<decltype(call_stream(std::declval<F&>(), std::declval<const context&>(),
                                        std::declval<T>()))>,
    std::monostate,
    std::decay_t<decltype(call_stream(std::declval<F&>(), std::declval<const context&>(),
                                      std::declval<T>()))>>;

/// The results' side: what the loop sees.
template <class R>
class stream_results : public stream_base {
 public:
  stream_results(const context& parent, const process_options& options, bool ordered)
      : stream_base(parent, options, ordered), results_(results_capacity()) {}

  /// A job has ended. Waits until there is room for that, or nobody wants it.
  void put(outcome<R> o) noexcept {
    if (!o.has_value() && failed(o.error())) return;
    if (ordered()) {
      put_in_order(std::move(o));
    } else {
      (void)results_.send(ctx(), std::move(o));
    }
  }
  /// The next outcome; empty at the end.
  std::optional<outcome<R>> next() {
    std::optional<outcome<R>> o = results_.receive();
    if (o && ordered()) give_place();
    return o;
  }

 protected:
  void close_results() override { results_.close(); }

 private:
  /// Whoever brings the one that is next sends all that follow it. There is room: each has a place
  /// in the window until the loop has it.
  void put_in_order(outcome<R> o) {
    const std::lock_guard lock(order_);
    const std::size_t slot = static_cast<std::size_t>(o.index() % window());
    if (waiting_.empty()) waiting_.resize(window());
    waiting_[slot].emplace(std::move(o));
    for (std::optional<outcome<R>>* first = nullptr;
         *(first = &waiting_[static_cast<std::size_t>(next_ % window())]); ++next_) {
      (void)results_.try_send(std::move(**first));
      first->reset();
    }
  }

  channel<outcome<R>> results_;
  mutex order_;  // guards the two below
  std::vector<std::optional<outcome<R>>> waiting_;
  std::uint64_t next_ = 0;
};

template <class T, class F>
class stream_job;

/// The jobs' side: where they come from and what is done with them.
template <class Source, class F, class R>
class stream_state final : public stream_results<R> {
  using T = typename Source::value_type;

 public:
  stream_state(const context& parent, const process_options& options, bool ordered, Source source,
               F f)
      : stream_results<R>(parent, options, ordered), source_(std::move(source)), f_(std::move(f)) {
    this->start();
  }
  ~stream_state() override { this->finish(); }

  [[nodiscard]] F& function() noexcept { return f_; }

 private:
  ref<job> next_job(std::uint64_t index) override {
    std::optional<T> item = source_.next(this->ctx());
    if (!item) return {};
    return make_ref<one_job>(*this, index, std::move(*item));
  }

  class one_job final : public awaited_job {
   public:
    one_job(stream_state& s, std::uint64_t index, T item)
        : stream_(s), index_(index), item_(std::move(item)) {
      this->wants_context = stream_takes_context<F, T>;
      this->wants_state = true;  // not to be run when its stream is gone
    }
    std::exception_ptr attempt(const context& ctx, void* /*state*/) noexcept override {
      try {
        if constexpr (std::same_as<R, std::monostate>) {
          call(ctx);
          result_.emplace();
        } else {
          result_.emplace(call(ctx));
        }
        return nullptr;
      } catch (...) {
        return std::current_exception();
      }
    }
    void drop_function() noexcept override { item_.reset(); }
    void completed() noexcept override {
      if (std::exception_ptr error = this->take_error()) {
        stream_.put(outcome<R>(index_, std::move(error)));
      } else {
        stream_.put(outcome<R>(index_, std::move(*result_)));
      }
      stream_.item_done();
    }

   private:
    decltype(auto) call(const context& ctx) {
      if (!stream_.may_retry()) return call_stream(stream_.function(), ctx, std::move(*item_));
      // It may be needed again. A move-only one has no copy: f gets it to look at.
      if constexpr (std::copy_constructible<T>) {
        return call_stream(stream_.function(), ctx, T(*item_));
      } else {
        return call_stream(stream_.function(), ctx, std::move(*item_));
      }
    }
    stream_state& stream_;
    std::uint64_t index_;
    std::optional<T> item_;
    std::optional<R> result_;
  };

  Source source_;
  F f_;
};

}  // namespace detail

/// What process() and its kin return: a single-pass input range of results.
template <class R>
class stream {
 public:
  using value_type = R;

  explicit stream(std::unique_ptr<detail::stream_results<R>> s) : state_(std::move(s)) {}

  template <bool Outcomes>
  class basic_iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = std::conditional_t<Outcomes, outcome<R>, R>;
    using difference_type = std::ptrdiff_t;

    explicit basic_iterator(detail::stream_results<R>& s) : from_(&s) { ++*this; }
    [[nodiscard]] value_type& operator*() const noexcept {
      if constexpr (Outcomes) {
        return *item_;
      } else {
        return item_->value();
      }
    }
    [[nodiscard]] value_type* operator->() const noexcept { return &**this; }
    basic_iterator& operator++() {
      do {
        item_.reset();
        item_ = from_->next();
      } while (!Outcomes && item_ && !item_->has_value());
      if (item_) return *this;
      if constexpr (Outcomes) {
        if (auto last = from_->last_failure()) item_.emplace(last->index, std::move(last->error));
      } else {
        from_->rethrow_first();
      }
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const basic_iterator& it, std::default_sentinel_t) noexcept {
      return !it.item_.has_value();
    }

   private:
    detail::stream_results<R>* from_;
    mutable std::optional<outcome<R>> item_;
  };

  using iterator = basic_iterator<false>;
  [[nodiscard]] iterator begin() { return iterator(*state_); }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

  /// The same results as a range of outcome<R>, failures included. Uses the stream up.
  class outcome_range {
   public:
    explicit outcome_range(detail::stream_results<R>& s) : from_(&s) {}
    [[nodiscard]] auto begin() const { return basic_iterator<true>(*from_); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

   private:
    detail::stream_results<R>* from_;
  };
  [[nodiscard]] outcome_range outcomes() { return outcome_range(*state_); }

  /// All that come, in a vector; rethrows the first failure.
  [[nodiscard]] std::vector<R> to_vector() {
    std::vector<R> all;
    for (R& value : *this) all.push_back(std::move(value));
    return all;
  }
  operator std::vector<R>() && { return to_vector(); }  // NOLINT: `std::vector<int> v = map(…)`

  /// Counts of its jobs so far.
  [[nodiscard]] pool_stats stats() const { return state_->stats(); }

 private:
  std::unique_ptr<detail::stream_results<R>> state_;
};

namespace detail {

template <class Source, class F>
auto make_stream(const context& ctx, Source&& jobs, process_options options, F f, bool ordered) {
  check_callable(f, "process");
  using from = source_of<Source>;
  using T = typename from::value_type;
  static_assert(stream_function<F, T>, "process: f takes (job) or (const context&, job)");
  using R = stream_result<F, T>;
  return stream<R>(std::make_unique<stream_state<from, F, R>>(
      ctx, options, ordered, make_source(std::forward<Source>(jobs)), std::move(f)));
}

}  // namespace detail

/// Runs f for each job; results as they are done. Throws std::invalid_argument that names an option
/// out of range. A range that is an lvalue must live as long as the stream.
template <class Source, class F>
[[nodiscard]] auto process(const context& ctx, Source&& jobs, process_options options, F f) {
  return detail::make_stream(ctx, std::forward<Source>(jobs), std::move(options), std::move(f),
                             false);
}
/// The same; results in the order of the jobs, at most `window` of them ahead of the loop.
template <class Source, class F>
[[nodiscard]] auto process_ordered(const context& ctx, Source&& jobs, process_options options,
                                   F f) {
  return detail::make_stream(ctx, std::forward<Source>(jobs), std::move(options), std::move(f),
                             true);
}
/// process_ordered under the name that ranges know it by; becomes a std::vector when asked to.
template <class Source, class F>
[[nodiscard]] auto map(const context& ctx, Source&& jobs, process_options options, F f) {
  return process_ordered(ctx, std::forward<Source>(jobs), std::move(options), std::move(f));
}
/// Runs f for each job, and waits for all; rethrows the first failure. Ends when ctx is done: that
/// is a std::system_error with its error, for not all has been done.
template <class Source, class F>
void for_each(const context& ctx, Source&& jobs, process_options options, F f) {
  for ([[maybe_unused]] auto& r :
       process(ctx, std::forward<Source>(jobs), std::move(options), std::move(f))) {
  }
  if (ctx.cancelled()) throw std::system_error(ctx.error(), "weir::for_each");
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
