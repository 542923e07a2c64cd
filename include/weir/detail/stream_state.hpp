// SPDX-License-Identifier: MIT
#pragma once
// A stream with its types: the results' side, which the loop sees, and the jobs' side. See
// process.hpp.

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <utility>
#include <variant>
#include <vector>

#include "../channel.hpp"
#include "../context.hpp"
#include "../outcome.hpp"
#include "../sync.hpp"
#include "job.hpp"
#include "stream_base.hpp"
#include "stream_call.hpp"
#include "stream_kept.hpp"

namespace weir::detail {

/// The results' side: what the loop sees.
template <class R>
class stream_results : public stream_base {
 public:
  stream_results(const context& parent, const process_options& options, stream_kind kind)
      : stream_base(parent, options, kind),
        results_(make_results()),
        waiting_(ordered() ? static_cast<std::size_t>(window()) : 0) {}

  /// A job has ended. Waits until there is room for that, or nobody wants it.
  void put(outcome<R> o) noexcept {
    if (o.has_value() ? !wants_values() : failed(o.index(), o.error())) return;
    if (ordered()) {
      put_in_order(std::move(o));
    } else if (!results_.send(ctx(), std::move(o)) &&
               !results_.try_send(std::move(o))) {  // NOLINT: it is ours, if it was not sent
      note_lost();
    }
  }
  /// A job has failed, or was not run.
  void put(std::uint64_t index, std::exception_ptr error) noexcept {
    put(outcome<R>(is_failure{}, index, cause_of(std::move(error))));
  }

  /// The next outcome; without Outcomes, the next that has a value. At the end, which is empty, the
  /// first failure: thrown, or as an outcome if there was none of it. Empty also when `until` (if
  /// any) is done first.
  template <bool Outcomes>
  std::optional<outcome<R>> next(const context* until = nullptr) {
    std::optional<outcome<R>> o;
    do {
      o.reset();
      o = any(until);
    } while (!Outcomes && o && !o->has_value());
    if (o || (until != nullptr && until->cancelled())) return o;
    if constexpr (Outcomes) {
      if (auto last = last_failure()) o.emplace(is_failure{}, last->index, std::move(last->error));
    } else {
      rethrow_first();
    }
    return o;
  }
  /// The next outcome, if there is one.
  std::optional<outcome<R>> any_at_hand() {
    auto found = results_.try_receive();
    if (!found) return std::nullopt;
    give_place();
    return std::move(*found);
  }
  /// Was all done, and all taken?
  [[nodiscard]] bool is_used_up() noexcept {
    return results_.closed() && results_.size() == 0 && is_complete();
  }

 protected:
  void close_results() override { results_.close(); }

 private:
  channel<outcome<R>> make_results() {
    try {
      return channel<outcome<R>>(results_capacity());
    } catch (const std::length_error&) {
      refuse_capacity();
    }
  }
  std::optional<outcome<R>> any(const context* until) {
    std::optional<outcome<R>> o = until != nullptr ? results_.receive(*until) : results_.receive();
    if (o) give_place();
    return o;
  }
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

/// What a handle has.
template <class R>
using stream_ptr = std::unique_ptr<stream_results<R>, stream_end>;

/// The jobs' side: where they come from and what is done with them.
template <class Source, class F, class R>
class stream_state final : public stream_results<R> {
  using T = typename Source::value_type;

 public:
  stream_state(const context& parent, const process_options& options, stream_kind kind,
               Source source, F f)
      : stream_results<R>(parent, options, kind), source_(std::move(source)), f_(std::move(f)) {
    if (!can_try_again<F, T> && this->may_retry()) throw_cannot_try_again();
    this->start();
  }
  ~stream_state() override { this->finish(); }

 private:
  struct held {  // for a vector of T = bool is none; and a vector moves these without a throw
    explicit held(T&& given) : item(std::move(given)) {}
    kept<T> item;
  };

  ref<job> next_job(std::uint64_t index, std::uint64_t& count) override {
    if (source_error_) std::rethrow_exception(std::exchange(source_error_, nullptr));
    std::optional<T> item = source_.next(this->ctx());
    if (!item) return {};
    count = 1;
    if (this->batch() == 1) return make_ref<one_job>(*this, index, std::move(*item));
    std::vector<held> items;
    items.reserve(std::min<std::size_t>(this->batch(), 64));
    items.emplace_back(std::move(*item));
    fill_up(items);
    count = items.size();
    return make_ref<batch_job>(*this, index, std::move(items));
  }

  /// Takes what else goes into the batch. What the source throws comes after that.
  void fill_up(std::vector<held>& items) {
    while (items.size() < this->batch() && has_room(items) && this->take_place()) {
      try {
        if (std::optional<T> item = source_.next_at_hand(this->ctx())) {
          items.emplace_back(std::move(*item));
          continue;
        }
      } catch (...) {
        source_error_ = std::current_exception();
      }
      this->give_place();
      return;
    }
  }

  /// For one more; false if there is no memory, and the batch is what it is.
  static bool has_room(std::vector<held>& items) noexcept {
    try {
      if (items.size() == items.capacity()) items.reserve(2 * items.size());
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }
  bool is_source_at_end() override { return !source_error_ && source_.is_at_end(); }
  void leave_source() noexcept override {
    if constexpr (requires { source_.leave(); }) source_.leave();
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
        result_.emplace(index_, stream_.call(ctx, *item_, stream_.may_retry()));
        return nullptr;
      } catch (...) {
        return std::current_exception();
      }
    }
    void drop_function() noexcept override { item_.reset(); }
    void completed() noexcept override {
      if (std::exception_ptr error = this->take_error()) {
        stream_.put(index_, std::move(error));
      } else {
        stream_.put(std::move(*result_));
      }
      stream_.item_done();
    }

   private:
    stream_state& stream_;
    std::uint64_t index_;
    std::optional<T> item_;
    std::optional<outcome<R>> result_;  // as it travels: what may throw, has
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
        stream_.put(outcome_of(ctx, unboxed(one.item)));
        ++index_;
      }
      return nullptr;
    }
    void drop_function() noexcept override { items_.clear(); }
    void completed() noexcept override {
      std::exception_ptr error = this->take_error();
      if (!error && index_ < end_) error = stream_base::stopped();
      for (; index_ < end_; ++index_) stream_.put(index_, error);
      stream_.item_done();
    }

   private:
    outcome<R> outcome_of(const context& ctx, T& item) noexcept {
      try {
        return outcome<R>(index_, stream_.call(ctx, item, false));
      } catch (...) {
        return outcome<R>(is_failure{}, index_, std::current_exception());
      }
    }
    stream_state& stream_;
    std::uint64_t index_;  // of the next
    std::uint64_t end_;
    std::vector<held> items_;
  };

  /// Each attempt gets the same: what may be needed again is looked at, or copied.
  R call(const context& ctx, T& item, bool again) {
    if (again) {
      if constexpr (only_looks<F, T>) {
        return result_of<const T&>(ctx, item);
      } else if constexpr (can_be_copied<T>) {
        return result_of<T>(ctx, T(item));
      }
    }
    return result_of<T>(ctx, std::move(item));
  }
  template <class Given>
  R result_of(const context& ctx, Given&& item) {
    if constexpr (std::same_as<R, std::monostate>) {
      call_stream(f_, ctx, std::forward<Given>(item));
      return {};
    } else {
      return call_stream(f_, ctx, std::forward<Given>(item));
    }
  }

  Source source_;
  F f_;
  std::exception_ptr source_error_;
};

}  // namespace weir::detail
