// SPDX-License-Identifier: MIT
#include "runtime/registry.hpp"

#include "runtime/runtime_core.hpp"

namespace weir::detail {
namespace {

template <class T>
void link_in(T*& first, T& x) noexcept {
  x.prev = nullptr;
  x.next = first;
  if (first != nullptr) first->prev = &x;
  first = &x;
}

template <class T>
void unlink_from(T*& first, T& x) noexcept {
  (x.prev != nullptr ? x.prev->next : first) = x.next;
  if (x.next != nullptr) x.next->prev = x.prev;
}

}  // namespace

constinit registry* registry_for_debuggers = nullptr;

registry& registry::instance() noexcept {
  alignas(registry) static std::byte room[sizeof(registry)];
  static registry* const all = registry_for_debuggers = ::new (room) registry;
  return *all;
}

void registry::add(runtime_core& core) noexcept {
  const std::lock_guard lock(m_);
  link_in(runtimes_, core);
}

void registry::remove(runtime_core& core) noexcept {
  const std::lock_guard lock(m_);
  unlink_from(runtimes_, core);
}

void registry::add(thread_wait& w) noexcept {
  const std::lock_guard lock(m_);
  link_in(threads_, w);
  ++thread_waits_;
}

void registry::remove(thread_wait& w) noexcept {
  const std::lock_guard lock(m_);
  unlink_from(threads_, w);
}

void registry::in_child() noexcept {
  for (runtime_core* core = runtimes_; core != nullptr; core = core->next) core->stop_in_child();
  threads_ = nullptr;  // they are in the parent
  m_.unlock();
}

}  // namespace weir::detail
