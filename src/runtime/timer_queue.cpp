// SPDX-License-Identifier: MIT
#include "runtime/timer_queue.hpp"

#include <algorithm>
#include <array>

namespace weir::detail {

bool timer_queue::earlier(std::size_t a, std::size_t b) const noexcept {
  const timer_entry& x = *heap_[a];
  const timer_entry& y = *heap_[b];
  return x.when_ != y.when_ ? x.when_ < y.when_ : x.order_ < y.order_;
}

void timer_queue::place(std::size_t at, timer_entry* e) noexcept {
  heap_[at] = e;
  e->index_ = at;
}

void timer_queue::sift_up(std::size_t at) noexcept {
  while (at > 0) {
    const std::size_t parent = (at - 1) / 2;
    if (!earlier(at, parent)) return;
    timer_entry* e = heap_[at];
    place(at, heap_[parent]);
    place(parent, e);
    at = parent;
  }
}

void timer_queue::sift_down(std::size_t at) noexcept {
  for (;;) {
    std::size_t least = at;
    for (std::size_t child = 2 * at + 1; child <= 2 * at + 2 && child < heap_.size(); ++child) {
      if (earlier(child, least)) least = child;
    }
    if (least == at) return;
    timer_entry* e = heap_[at];
    place(at, heap_[least]);
    place(least, e);
    at = least;
  }
}

void timer_queue::take_out(std::size_t at) noexcept {
  heap_[at]->index_ = timer_entry::nowhere;
  timer_entry* last = heap_.back();
  heap_.pop_back();
  if (at == heap_.size()) return;
  place(at, last);
  sift_up(at);
  sift_down(last->index_);
}

void timer_queue::publish_next() noexcept {
  // Ordering: seq_cst; see next_due().
  next_.store(heap_.empty() ? never : heap_.front()->when_, std::memory_order_seq_cst);
}

void timer_queue::put_in(timer_entry& e, time_ns when) {
  heap_.push_back(&e);
  e.when_ = when;
  e.order_ = arrivals_++;
  e.index_ = heap_.size() - 1;
  sift_up(e.index_);
}

timer_queue::added timer_queue::insert(timer_entry& e, time_ns when) {
  const std::lock_guard lock(m_);
  if (closed_) return added::closed;
  put_in(e, std::min(when, end_of_time));  // see next_due()
  if (e.index_ != 0) return added::later;
  publish_next();
  return added::first;
}

bool timer_queue::remove(timer_entry& e) noexcept {
  const std::lock_guard lock(m_);
  if (e.index_ == timer_entry::nowhere) return false;
  const bool was_first = e.index_ == 0;
  take_out(e.index_);
  if (was_first) publish_next();
  return true;
}

std::size_t timer_queue::fire_due(time_ns now, std::span<timer_entry::deferred*> room) noexcept {
  const std::lock_guard lock(m_);
  std::size_t n = 0;
  while (n < room.size() && !heap_.empty() && heap_.front()->when_ <= now) {
    timer_entry* e = heap_.front();
    take_out(0);
    // A sleeper's entry may be gone once it has fired; only one that fires again is touched.
    const timer_entry::outcome then = e->fire(now);
    if (then.rest != nullptr) room[n++] = then.rest;
    if (then.again != never) put_in(*e, then.again);  // where there was room for it
  }
  publish_next();
  return n;
}

std::size_t timer_queue::abandon_some(std::span<timer_entry::deferred*> room) noexcept {
  const std::lock_guard lock(m_);
  closed_ = true;
  std::size_t n = 0;
  while (n < room.size() && !heap_.empty()) {
    timer_entry* e = heap_.back();
    take_out(heap_.size() - 1);
    if (auto* rest = e->abandon()) room[n++] = rest;
  }
  publish_next();
  return n;
}

void timer_queue::close() noexcept {
  std::array<timer_entry::deferred*, 16> room{};
  std::size_t n = 0;
  do {
    n = abandon_some(room);
    for (auto* rest : std::span(room).first(n)) rest->finish();
  } while (n == room.size());
}

}  // namespace weir::detail
