// SPDX-License-Identifier: MIT
#include "weir/detail/channel_core.hpp"

#include <algorithm>
#include <array>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "runtime/return_by_jump.hpp"
#include "sync/wait_here.hpp"
#include "weir/channel.hpp"
#include "weir/select.hpp"

namespace weir::detail {

constexpr wait_kind send_wait{"send on channel", "cap"};
constexpr wait_kind receive_wait{"receive on channel", "cap"};
constexpr wait_kind nil_send_wait{"send on nil channel"};
constexpr wait_kind nil_receive_wait{"receive on nil channel"};

void throw_channel_closed(const char* what) { throw channel_closed(std::string("weir: ") + what); }

void throw_bad_capacity(std::int64_t capacity) {
  throw std::length_error("weir::channel: capacity " + std::to_string(capacity) +
                          " is negative. Use 0 for an unbuffered channel.");
}

/// Null if there is no memory for so many elements.
static std::byte* new_slots(const element_ops& ops, std::size_t n) noexcept {
  const std::size_t size = n * ops.size;
  return static_cast<std::byte*>(static_cast<std::size_t>(ops.align) <=
                                         __STDCPP_DEFAULT_NEW_ALIGNMENT__
                                     ? ::operator new(size, std::nothrow)
                                     : ::operator new(size, ops.align, std::nothrow));
}

static void delete_slots(const element_ops& ops, std::byte* slots) noexcept {
  if (static_cast<std::size_t>(ops.align) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
    ::operator delete(slots);
  } else {
    ::operator delete(slots, ops.align);
  }
}

channel_core::channel_core(const element_ops& element, std::size_t capacity)
    : cap(capacity), room(capacity), ops(element) {
  if (capacity > static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()) / ops.size) {
    throw std::length_error("weir::channel: capacity " + std::to_string(capacity) + " of " +
                            std::to_string(ops.size) + "-byte values does not fit into memory.");
  }
  if (capacity == 0) return;
  ring = new_slots(ops, capacity);
  if (ring == nullptr) {
    constexpr std::size_t usual_max = std::size_t{1} << 20U;  // nobody's mistake
    if (capacity * ops.size <= usual_max) throw std::bad_alloc();
    throw std::length_error("weir::channel: no memory for capacity " + std::to_string(capacity) +
                            " of " + std::to_string(ops.size) + "-byte values.");
  }
}

channel_core::~channel_core() {
  clear_locked();  // nobody else is left
  delete_slots(ops, ring);
}

void channel_core::clear_locked() noexcept {
  while (count > 0) ops.destroy_slot(pop_slot(ops.size));
}

std::size_t channel_core::size() noexcept {
  interruption_point("size of a channel");
  const std::lock_guard guard(lock);
  return hides_buffer ? 0 : count;
}

WEIR_HOT transfer channel_core::send_step(void* value, wait_node*& partner) noexcept {
  if (closed_plain) return transfer::closed;
  if (wait_node* receiver = receivers.claim_front()) {
    ops.value_to_out(receiver->value, value);
    receiver->ok = true;
    ++operations;
    partner = receiver;
    return transfer::moved;
  }
  if (count >= cap) return transfer::would_block;
  ops.value_to_slot(push_slot(ops.size), value);
  return transfer::moved;
}

WEIR_HOT transfer channel_core::receive_step(void* out, wait_node*& partner) noexcept {
  if (count > 0) {
    ops.slot_to_out(out, pop_slot(ops.size));
    if (count >= cap) return transfer::moved;         // one had been put back
    if (wait_node* sender = senders.claim_front()) {  // (keeps C3, and the order)
      ops.value_to_slot(push_slot(ops.size), sender->value);
      sender->ok = true;
      partner = sender;
    }
    return transfer::moved;
  }
  if (wait_node* sender = senders.claim_front()) {
    ops.value_to_out(out, sender->value);
    sender->ok = true;
    ++operations;
    partner = sender;
    return transfer::moved;
  }
  return closed_plain ? transfer::closed : transfer::would_block;
}

transfer channel_core::try_send_step(void* value, wait_node*& partner) noexcept {
  return send_step(value, partner);
}

transfer channel_core::try_receive_step(void* out, wait_node*& partner) noexcept {
  return receive_step(out, partner);
}

void channel_core::reserve_locked(std::size_t slots_wanted) {
  if (slots_wanted <= room) return;
  const std::size_t more = std::max(slots_wanted, room + room / 2 + 1);
  std::byte* const larger = new_slots(ops, more);
  if (larger == nullptr) throw std::bad_alloc();
  const std::size_t kept = count;
  for (std::size_t i = 0; i < kept; ++i)
    ops.slot_to_slot(larger + i * ops.size, pop_slot(ops.size));
  delete_slots(ops, std::exchange(ring, larger));
  room = more;
  head = 0;
  count = kept;
}

void channel_core::put_back(void* values, std::size_t n) {
  auto* const first = static_cast<std::byte*>(values);
  struct waking {  // whoever has been served, also if there is no memory for the rest
    wake_batch wakes;
    ~waking() { wakes.wake_all(); }
  } served;
  const std::lock_guard guard(lock);
  std::size_t given = 0;
  for (; given < n; ++given) {
    wait_node* const receiver = receivers.claim_front();
    if (receiver == nullptr) break;
    ops.value_to_out(receiver->value, first + given * ops.size);
    receiver->ok = true;
    served.wakes.add(*receiver);
  }
  reserve_locked(count + n - given);
  while (n > given) {
    head = (head == 0 ? room : head) - 1;
    ++count;
    ops.value_to_slot(ring + head * ops.size, first + --n * ops.size);
  }
}

void channel_core::count_piece() noexcept {
  carrier* const c = carrier::current();
  if (c != nullptr && c->count_piece()) c->yield_current();
}

/// Called last, in either: see return_by_jump.hpp.
WEIR_RETURN_BY_JUMP transfer channel_core::wait_locked(wait_list& queue, void* element,
                                                       patience how, const wait_kind& kind) {
  if (signal && how.until != nullptr && how.until->done_core() != nullptr) [[unlikely]] {
    lock.unlock();
    return wait_for_signal(*how.until);
  }
  report_operations();
  wait_node node;
  node.value = element;
  const wait_reason why =
      how.cases == 0 ? wait_reason{.kind = &kind, .object = this, .amount = capacity()}
                     : wait_reason{.kind = &select_wait, .object = nullptr, .amount = how.cases};
  if (!wait_here(lock, queue, node, how.until, why)) return transfer::cancelled;
  return node.ok ? transfer::moved : transfer::closed;
}

transfer channel_core::send_locked(void* value, patience how) {
  wait_node* partner = nullptr;
  const transfer step = send_step(value, partner);
  if (step == transfer::would_block && how.block)
    return wait_locked(senders, value, how, send_wait);
  const std::size_t for_others = cap;
  lock.unlock();
  if (partner != nullptr) wake_partner(*partner, how.block, for_others);
  return step;
}

transfer channel_core::receive_locked(void* out, patience how) {
  wait_node* partner = nullptr;
  const transfer step = receive_step(out, partner);
  if (step == transfer::would_block && how.block) {
    return wait_locked(receivers, out, how, receive_wait);
  }
  lock.unlock();
  if (partner != nullptr) wake_partner(*partner, how.block);
  return step;
}

/// One context's done() with another context: two signals have no order in which they could be
/// locked together, and may be the same. A select takes one after the other.
transfer channel_core::wait_for_signal(const context& until) {
  const std::array<select_record, 2> both{{{.kind = case_kind::done, .core = this},
                                           {.kind = case_kind::done, .core = until.done_core()}}};
  interruption_point("select");
  return select_records(both) == 0 ? transfer::closed : transfer::cancelled;
}

bool channel_core::close() noexcept {
  interruption_point("close of a channel");
  const auto keep = ref<channel_core>::share(this);  // who sees it closed may end the last handle
  wake_batch wakes;
  if (!mark_closed(wakes)) return false;
  wakes.wake_all();
  wake_receivers();
  return true;
}

void channel_core::mark_closed_locked() noexcept {
  closed_plain = true;
  // Ordering: release; pairs with is_closed() and context::cancelled(): what came before the close
  // is visible to whoever sees it.
  closed.store(true, std::memory_order_release);
}

bool channel_core::mark_closed(wake_batch& senders_claimed) noexcept {
  const std::lock_guard guard(lock);
  if (closed_plain) return false;
  mark_closed_locked();
  while (wait_node* n = senders.claim_front()) senders_claimed.add(*n);
  return true;
}

void channel_core::wake_receivers() noexcept {
  // No receiver joins any more, and none of those that are there can get a value: so their end need
  // not be one step. In parts, so that what was touched to be claimed is still in the cache when it
  // is woken; and nobody waits long for the lock.
  while (wake_some_receivers()) {
  }
}

bool channel_core::wake_some_receivers() noexcept {
  constexpr int part = 32;
  wake_batch wakes;
  bool more = false;
  {
    const std::lock_guard guard(lock);
    for (int i = 0; i < part && !receivers.empty(); ++i) {
      wait_node& n = receivers.take_front();
      if (n.op->claim(n.index)) wakes.add(n);
    }
    more = !receivers.empty();
  }
  wakes.wake_all();
  return more;
}

void wait_for_nothing(const context* until, const wait_kind& kind) {
  spin_lock m;
  wait_list list;
  wait_node node;
  m.lock();
  (void)wait_in(m, list, node, until, {.kind = &kind});
}

}  // namespace weir::detail
