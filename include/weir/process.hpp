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
// Small jobs: .batch of them go to a worker together; see there.
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
#include "detail/stream_call.hpp"
#include "detail/stream_source.hpp"
#include "outcome.hpp"
#include "pool.hpp"
#include "sync.hpp"

namespace weir {

namespace detail {

/// The results' side: what the loop sees.
template <class R>
class stream_results : public stream_base {
 public:
  stream_results(const context& parent, const process_options& options, stream_kind kind)
      : stream_base(parent, options, kind),
        results_(results_capacity()),
        waiting_(ordered() ? static_cast<std::size_t>(window()) : 0) {}

  /// A job has ended. Waits until there is room for that, or nobody wants it.
  void put(outcome<R> o) noexcept {
    if (o.has_value() ? !wants_values() : failed(o.error())) return;
    if (ordered()) {
      put_in_order(std::move(o));
    } else {
      (void)results_.send(ctx(), std::move(o));
    }
  }
  /// The next outcome; empty at the end.
  std::optional<outcome<R>> next() {
    std::optional<outcome<R>> o = results_.receive();
    if (o) give_place();
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
  stream_state(const context& parent, const process_options& options, stream_kind kind,
               Source source, F f)
      : stream_results<R>(parent, options, kind), source_(std::move(source)), f_(std::move(f)) {
    this->start();
  }
  ~stream_state() override { this->finish(); }

 private:
  struct held {  // for a vector of T = bool is none
    T item;
  };

  ref<job> next_job(std::uint64_t index, std::uint64_t& count) override {
    if (source_error_) std::rethrow_exception(std::exchange(source_error_, nullptr));
    std::optional<T> item = source_.next(this->ctx());
    if (!item) return {};
    count = 1;
    if (this->batch() == 1) return make_ref<one_job>(*this, index, std::move(*item));
    std::vector<held> items;
    items.reserve(std::min<std::size_t>(this->batch(), 64));
    items.push_back(held{std::move(*item)});
    fill_up(items);
    count = items.size();
    return make_ref<batch_job>(*this, index, std::move(items));
  }

  /// Takes what else goes into the batch. What the source throws comes after that.
  void fill_up(std::vector<held>& items) {
    while (items.size() < this->batch() && this->take_place()) {
      try {
        if (std::optional<T> item = source_.next_at_hand(this->ctx())) {
          items.push_back(held{std::move(*item)});
          continue;
        }
      } catch (...) {
        source_error_ = std::current_exception();
      }
      this->give_place();
      return;
    }
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
        result_.emplace(stream_.call(ctx, *item_, stream_.may_retry()));
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
    stream_state& stream_;
    std::uint64_t index_;
    std::optional<T> item_;
    std::optional<R> result_;
  };

  /// Several, one after the other. Each one's outcome is put when it is done.
  class batch_job final : public awaited_job {
   public:
    batch_job(stream_state& s, std::uint64_t index, std::vector<held> items)
        : stream_(s), index_(index), end_(index + items.size()), items_(std::move(items)) {
      this->wants_context = stream_takes_context<F, T>;
      this->wants_state = true;
    }
    std::exception_ptr attempt(const context& ctx, void* /*state*/) noexcept override {
      for (held& one : items_) {
        if (ctx.cancelled()) break;
        stream_.put(outcome_of(ctx, one.item));
        ++index_;
      }
      return nullptr;
    }
    void drop_function() noexcept override { items_.clear(); }
    void completed() noexcept override {
      std::exception_ptr error = this->take_error();
      if (!error && index_ < end_) error = stream_base::stopped();
      for (; index_ < end_; ++index_) stream_.put(outcome<R>(index_, error));
      stream_.item_done();
    }

   private:
    outcome<R> outcome_of(const context& ctx, T& item) noexcept {
      try {
        return outcome<R>(index_, stream_.call(ctx, item, false));
      } catch (...) {
        return outcome<R>(index_, std::current_exception());
      }
    }
    stream_state& stream_;
    std::uint64_t index_;  // of the next
    std::uint64_t end_;
    std::vector<held> items_;
  };

  R call(const context& ctx, T& item, bool again) {
    if constexpr (std::copy_constructible<T>) {
      if (again) {  // it may be needed again; a move-only one has no copy: f gets it to look at
        T copy(item);
        return result_of(ctx, copy);
      }
    }
    return result_of(ctx, item);
  }
  R result_of(const context& ctx, T& item) {
    if constexpr (std::same_as<R, std::monostate>) {
      call_stream(f_, ctx, std::move(item));
      return {};
    } else {
      return call_stream(f_, ctx, std::move(item));
    }
  }

  Source source_;
  F f_;
  std::exception_ptr source_error_;
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
auto make_stream(const context& ctx, Source&& jobs, process_options options, F f,
                 stream_kind kind) {
  check_callable(f, "process");
  using from = source_of<Source>;
  using T = typename from::value_type;
  static_assert(stream_function<F, T>, "process: f takes (job) or (const context&, job)");
  using R = stream_result<F, T>;
  return stream<R>(std::make_unique<stream_state<from, F, R>>(
      ctx, options, kind, make_source(std::forward<Source>(jobs)), std::move(f)));
}

}  // namespace detail

/// Runs f for each job; results as they are done. Throws std::invalid_argument that names an option
/// out of range. A range that is an lvalue must live as long as the stream.
template <class Source, class F>
[[nodiscard]] auto process(const context& ctx, Source&& jobs, process_options options, F f) {
  return detail::make_stream(ctx, std::forward<Source>(jobs), std::move(options), std::move(f),
                             detail::stream_kind::as_done);
}
/// The same; results in the order of the jobs, at most `window` of them ahead of the loop.
template <class Source, class F>
[[nodiscard]] auto process_ordered(const context& ctx, Source&& jobs, process_options options,
                                   F f) {
  return detail::make_stream(ctx, std::forward<Source>(jobs), std::move(options), std::move(f),
                             detail::stream_kind::in_order);
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
       detail::make_stream(ctx, std::forward<Source>(jobs), std::move(options), std::move(f),
                           detail::stream_kind::failures)) {
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
