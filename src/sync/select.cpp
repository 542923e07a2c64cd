// SPDX-License-Identifier: MIT
// Select, after Go's runtime/select.go: lock every channel in the order of addresses, so that
// selects which overlap cannot deadlock; decide; or wait in every queue at once, to be claimed by
// exactly one.
//
// A signal (a context's done()) only ever closes, and once. So it need not be locked to decide: it
// is looked at last, while the channels are locked. If it is open then, there was an instant (that
// look) at which nothing was ready, since the channels could not change. Signals are locked after
// channels, one at a time, to wait.

#include "weir/select.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "sync/wait_here.hpp"

namespace weir::detail {

constexpr wait_kind select_wait{"select", "cases"};

namespace {

constexpr std::size_t nothing = static_cast<std::size_t>(-1);
constexpr std::size_t cases_max = 65536;
constexpr std::size_t usual = 8;  // up to so many cases need no allocation

/// Is there a waiter that could still be served? Those that others have claimed are taken out.
bool has_claimable(wait_list& list) noexcept {
  while (wait_node* n = list.front()) {
    if (n->op->winner() < 0) return true;
    list.remove(*n);
  }
  return false;
}

/// Under the case's lock, or of a signal.
bool is_ready(const select_record& r) noexcept {
  if (r.kind == case_kind::timeout) return r.wait <= r.wait.zero();
  if (r.core == nullptr) return false;
  channel_core& c = *r.core;
  if (c.signal) return c.is_closed();
  if (c.closed_plain) return true;
  if (r.kind == case_kind::send) return c.count < c.cap || has_claimable(c.receivers);
  return c.count > 0 || has_claimable(c.senders);
}

/// The channels of some cases, in the order in which they are locked.
class lock_order {
 public:
  lock_order(std::span<const select_record> records, std::span<channel_core*> room) noexcept {
    std::size_t n = 0;
    for (const select_record& r : records) {
      if (r.core != nullptr && !r.core->signal) room[n++] = r.core;
    }
    const auto end = room.begin() + static_cast<std::ptrdiff_t>(n);
    if (n > 1) std::sort(room.begin(), end, std::less<>());
    cores_ = {room.begin(), n > 1 ? std::unique(room.begin(), end) : end};
    has_duplicates_ = cores_.size() < n;
  }
  /// Does a channel stand in several cases?
  [[nodiscard]] bool has_duplicates() const noexcept { return has_duplicates_; }
  void lock() noexcept {
    for (channel_core* c : cores_) c->lock.lock();
  }
  void unlock() noexcept {
    for (channel_core* c : cores_) c->lock.unlock();
  }
  void report_operations() noexcept {
    for (channel_core* c : cores_) c->report_operations();
  }

 private:
  std::span<channel_core*> cores_;
  bool has_duplicates_ = false;
};

class selection {
 public:
  selection(std::span<const select_record> records, std::span<channel_core*> room)
      : records_(records), locks_(records, room) {}

  std::size_t run() {
    locks_.lock();
    std::size_t chosen = decide();
    if (chosen == nothing) chosen = find_otherwise();
    if (chosen == nothing) return wait_with_room();
    locks_.unlock();
    if (partner_ != nullptr) wake_node(*partner_);
    if (send_on_closed_) throw_send_on_closed();
    return chosen;
  }

 private:
  /// Carries out one of the ready cases, each as likely as any other.
  std::size_t decide() {
    for (;;) {
      std::uint32_t ready = 0;
      std::size_t chosen = nothing;
      for (std::size_t i = 0; i < records_.size(); ++i) {
        if (!is_ready(records_[i])) continue;
        ++ready;
        if (ready == 1 || random_below(ready) == 0) chosen = i;
      }
      if (chosen == nothing || carry_out(records_[chosen])) return chosen;
      // The waiter that made it ready was claimed through another of its channels meanwhile.
    }
  }

  bool carry_out(const select_record& r) noexcept {
    if (r.core == nullptr || r.core->signal) return true;  // a time, or a context
    if (r.kind == case_kind::send) {
      const transfer t = r.core->try_send_step(r.element, partner_);
      send_on_closed_ = t == transfer::closed;
      return t != transfer::would_block;
    }
    return r.core->try_receive_step(r.element, partner_) != transfer::would_block;
  }

  [[nodiscard]] std::size_t find_otherwise() const noexcept {
    for (std::size_t i = 0; i < records_.size(); ++i) {
      if (records_[i].kind == case_kind::otherwise) return i;
    }
    return nothing;
  }

  /// The case whose time comes first.
  [[nodiscard]] std::size_t first_timeout() const noexcept {
    std::size_t first = nothing;
    for (std::size_t i = 0; i < records_.size(); ++i) {
      if (records_[i].kind != case_kind::timeout) continue;
      if (first == nothing || records_[i].wait < records_[first].wait) first = i;
    }
    return first;
  }

  std::size_t wait_with_room() {
    if (records_.size() <= usual) {
      std::array<wait_node, usual> few;
      nodes_ = few;
      return wait();
    }
    std::vector<wait_node> many;
    try {
      many.resize(records_.size());
    } catch (...) {
      locks_.unlock();
      throw;
    }
    nodes_ = many;
    return wait();
  }

  std::size_t wait() {
    if (forked()) {
      locks_.unlock();
      throw_forked();
    }
    operation op(true);
    op.who = current_strand();
    join_channels(op);
    locks_.unlock();
    join_signals(op);
    park(op);
    const auto chosen = static_cast<std::size_t>(op.winner());
    leave_all(chosen);
    if (records_[chosen].kind == case_kind::send && !nodes_[chosen].ok) {
      throw_send_on_closed();
    }
    return chosen;
  }

  void join_channels(operation& op) noexcept {
    locks_.report_operations();
    if (locks_.has_duplicates()) shuffle();
    for (std::size_t k = 0; k < records_.size(); ++k) {
      const std::size_t i =
          locks_.has_duplicates() ? static_cast<std::size_t>(nodes_[k].weight) : k;
      const select_record& r = records_[i];
      wait_node& n = nodes_[i];
      n.op = &op;
      n.index = static_cast<int>(i);
      n.value = r.element;
      if (r.core == nullptr || r.core->signal) continue;
      (r.kind == case_kind::send ? r.core->senders : r.core->receivers).push_back(n);
    }
  }

  /// A random order, kept in the nodes' weights, which channels do not use: of two cases on one
  /// channel the first in its queue is served, and that must be either.
  void shuffle() noexcept {
    for (std::size_t k = 0; k < nodes_.size(); ++k) nodes_[k].weight = static_cast<std::int64_t>(k);
    for (std::size_t k = records_.size(); k > 1; --k) {
      std::swap(nodes_[k - 1].weight, nodes_[random_below(static_cast<std::uint32_t>(k))].weight);
    }
  }

  /// One that has closed meanwhile claims the operation as if it closed now.
  void join_signals(operation& op) {
    for (std::size_t i = 0; i < records_.size(); ++i) {
      channel_core* signal = records_[i].core;
      if (signal == nullptr || !signal->signal) continue;
      bool closed = false;
      interruption_point("select: wait for a context");
      {
        const std::lock_guard lock(signal->lock);
        closed = signal->closed_plain;
        if (!closed) signal->receivers.push_back(nodes_[i]);
      }
      if (closed && op.claim(static_cast<int>(i))) {
        self_claimed_ = true;
        return;
      }
    }
  }

  void park(operation& op) {
    if (self_claimed_) return;  // nobody will wake us: we have not told anybody to
    interruption_point("select: park");
    const wait_reason why{.kind = &select_wait, .amount = records_.size()};
    const std::size_t timeout = first_timeout();
    if (timeout == nothing) {
      park_strand(op.who, why);
      return;
    }
    const int index = static_cast<int>(timeout);
    const time_ns wait = records_[timeout].wait.count();
    if (!op.who.is_task()) {
      const bool woken = op.who.park_thread_until(time_plus(steady_now(), wait));
      if (!woken && !op.claim(index)) op.who.park(why);  // its wake() is on the way
      return;
    }
    // Not under the channels' locks: a timer that fires takes its channel's lock under the queue's.
    runtime_core& rt = carrier::current()->rt;
    const ref<timer_queue> timers = rt.timers;
    wake_entry entry(op, index);
    try {
      if (timers->insert(entry, time_plus(rt.clock.now(), wait)) == timer_queue::added::first) {
        rt.note_earlier_timer();
      }
    } catch (...) {
      if (op.claim(index)) {
        leave_all(nothing);
        throw;
      }
    }
    op.who.park(why);
    timers->remove(entry);
  }

  /// After this nobody can touch our nodes.
  void leave_all(std::size_t chosen) noexcept {
    for (std::size_t i = 0; i < records_.size(); ++i) {
      const select_record& r = records_[i];
      if (i == chosen || r.core == nullptr) continue;
      leave(r.core->lock, r.kind == case_kind::send ? r.core->senders : r.core->receivers,
            nodes_[i]);
    }
  }

  std::span<const select_record> records_;
  lock_order locks_;
  std::span<wait_node> nodes_;
  wait_node* partner_ = nullptr;  // to be woken
  bool send_on_closed_ = false;
  bool self_claimed_ = false;
};

}  // namespace

void throw_send_on_closed() { throw_channel_closed("send on closed channel"); }

void throw_case_spent() {
  throw std::logic_error("weir::select: this on_send case's value has been sent: make a new case");
}

std::size_t select_records(std::span<const select_record> records) {
  if (records.size() <= usual) {
    std::array<channel_core*, usual> room;
    return selection(records, room).run();
  }
  if (records.size() > cases_max) {
    throw std::length_error("weir::select: " + std::to_string(records.size()) +
                            " cases. At most 65536 are possible.");
  }
  std::vector<channel_core*> room(records.size());
  return selection(records, room).run();
}

}  // namespace weir::detail

namespace weir {

std::size_t select(std::span<select_case> cases) {
  std::vector<detail::select_record> records;
  records.reserve(cases.size());
  for (select_case& c : cases) records.push_back(c.record());
  detail::interruption_point("select");
  const std::size_t chosen = detail::select_records(records);
  cases[chosen].run();
  return chosen;
}

}  // namespace weir
