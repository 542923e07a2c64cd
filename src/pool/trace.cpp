// SPDX-License-Identifier: MIT
// Where a pool tells its tracer of a job, and the tracer that writes Chrome's trace events.
#include "weir/trace.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <mutex>
#include <ostream>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "pool/pool_core.hpp"
#include "pool/text.hpp"
#include "runtime/runtime_core.hpp"

namespace weir {
namespace detail {
namespace {

traced_job described(const pool_options& options, const job& j, int worker, std::int64_t at) {
  const std::string* const name = j.name();
  return {.pool = options.name,
          .name = name != nullptr ? std::string_view(*name) : std::string_view(),
          .tag = j.tag,
          .worker = worker,
          .at = std::chrono::nanoseconds(at),
          .since = std::chrono::nanoseconds(at)};
}

job_end end_of(verdict v) noexcept {
  switch (v) {
    case verdict::done: return job_end::done;
    case verdict::failed: return job_end::failed;
    case verdict::cancelled: return job_end::cancelled;
    case verdict::again: return job_end::again;
  }
  return job_end::failed;
}

}  // namespace

void pool_core::trace_submitted(job& j) const noexcept {
  j.tag = options_.tracer->submitted(described(options_, j, 0, where_.clock.now()));
}

std::int64_t pool_core::trace_started(const job& j, const pool_worker& worker) const noexcept {
  if (!options_.tracer) return 0;
  const std::int64_t at = where_.clock.now();
  options_.tracer->started(described(options_, j, worker.number, at));
  return at;
}

void pool_core::trace_ended(const job& j, const pool_worker& worker, std::int64_t since,
                            verdict v) const noexcept {
  if (!options_.tracer) return;
  traced_job told = described(options_, j, worker.number, where_.clock.now());
  told.since = std::chrono::nanoseconds(since);
  options_.tracer->ended(told, end_of(v));
}

void pool_core::trace_unrun(const job& j, job_end end) const noexcept {
  if (!options_.tracer) return;
  options_.tracer->ended(described(options_, j, 0, where_.clock.now()), end);
}

}  // namespace detail

std::string_view to_string(job_end end) noexcept {
  switch (end) {
    case job_end::done: return "done";
    case job_end::failed: return "failed";
    case job_end::cancelled: return "cancelled";
    case job_end::again: return "again";
    case job_end::dropped: return "dropped";
    case job_end::rejected: return "rejected";
    case job_end::returned: return "returned";
  }
  return "?";
}

std::uint64_t job_tracer::submitted(const traced_job&) noexcept { return 0; }
void job_tracer::started(const traced_job&) noexcept {}

// ---- chrome_trace -------------------------------------------------------------------------------

namespace detail {

struct traced_attempt {
  static constexpr std::size_t name_max = 31;

  std::int64_t submitted;
  std::int64_t since;
  std::int64_t at;
  std::int32_t worker;
  std::uint16_t pool;  // which of the names
  job_end end;
  std::uint8_t name_size;
  std::array<char, name_max + 1> name;

  [[nodiscard]] std::string_view text() const { return {name.data(), name_size}; }
};
static_assert(sizeof(traced_attempt) == 64);

}  // namespace detail

namespace {

using attempt = detail::traced_attempt;
using detail::valid_utf8;

constexpr std::size_t name_max = attempt::name_max;

/// The first bytes of the text, without half of a character of UTF-8.
std::string_view cut(std::string_view text) {
  if (text.size() <= name_max) return text;
  std::size_t size = name_max;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
  return text.substr(0, size);
}

/// As a JSON string.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : valid_utf8(text)) {
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> code{};
      std::snprintf(code.data(), code.size(), "\\u%04x", static_cast<unsigned>(c));
      out += code.data();
    } else {
      out += c;
    }
  }
  return out += '"';
}

/// In microseconds, as the format has it, to the nanosecond.
std::string microseconds(std::int64_t ns) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%lld.%03d", static_cast<long long>(ns / 1000),
                static_cast<int>(ns % 1000));
  return text.data();
}

/// Events, with commas between them.
class event_list {
 public:
  explicit event_list(std::string& out) : out_(out) {}
  std::string& next() {
    out_ += first_ ? "\n" : ",\n";
    first_ = false;
    return out_;
  }

 private:
  std::string& out_;
  bool first_ = true;
};

/// On which line of which pool.
std::string place(std::size_t pool, int worker) {
  return R"(,"pid":)" + std::to_string(pool + 1) + R"(,"tid":)" + std::to_string(worker);
}

void add_name(event_list& events, const char* what, std::size_t pool, int worker,
              const std::string& name) {
  events.next() += std::string(R"({"ph":"M","name":")") + what + '"' + place(pool, worker) +
                   R"(,"args":{"name":)" + quoted(name) + "}}";
}

/// One attempt. What overlaps on a line must nest, which only a worker's slices surely do: those of
/// callers that run their own jobs are asynchronous ones.
void add_attempt(event_list& events, const attempt& a, std::size_t id) {
  const std::string end(to_string(a.end));
  const std::string what = R"(,"name":)" + quoted(a.text().empty() ? "job" : a.text()) +
                           R"(,"cat":")" + end + '"' + place(a.pool, a.worker) + R"(,"ts":)";
  const auto event = [&](char phase, std::int64_t at, const std::string& rest) {
    events.next() += std::string(R"({"ph":")") + phase + '"' + what + microseconds(at) + rest;
  };
  const bool ran = a.end <= job_end::again && (a.worker > 0 || a.at > a.since);
  const std::string args = R"(,"args":{"end":")" + end + R"(","queued_us":)" +
                           microseconds(a.since - a.submitted) + "}}";
  const std::string its_id = R"(,"id":)" + std::to_string(id);
  if (!ran) {
    event('i', a.at, R"(,"s":"t")" + args);
  } else if (a.worker > 0) {
    event('X', a.since, R"(,"dur":)" + microseconds(a.at - a.since) + args);
  } else {
    event('b', a.since, its_id + args);
    event('e', a.at, its_id + '}');
  }
}

/// Text that is complete, whatever the stream makes of numbers.
void write_text(std::ostream& out, std::string& text) {
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  text.clear();
}

}  // namespace

struct chrome_trace::state {
  mutable std::mutex lock;        // guards everything below
  std::vector<attempt> attempts;  // a ring once it is full
  std::uint64_t count = 0;        // of all attempts
  std::vector<std::string> pools;

  /// Which of the names; the last of all possible ones if there is no memory for another.
  std::uint16_t pool_of(std::string_view name) noexcept try {
    const auto at = std::find(pools.begin(), pools.end(), name) - pools.begin();
    if (at == std::ssize(pools) && at < 0xFFFF) pools.emplace_back(name);
    return static_cast<std::uint16_t>(at);
  } catch (...) {
    return 0xFFFF;
  }
};

chrome_trace::chrome_trace(std::size_t capacity) : state_(std::make_unique<state>()) {
  constexpr std::size_t most = std::size_t{1} << 32U;
  if (capacity == 0 || capacity > most) {
    throw std::invalid_argument("weir::chrome_trace: capacity " + std::to_string(capacity) +
                                " is out of range. Use 1 to " + std::to_string(most) + ".");
  }
  try {
    state_->attempts.resize(capacity);
  } catch (const std::exception&) {
    throw std::invalid_argument("weir::chrome_trace: capacity " + std::to_string(capacity) +
                                " is more than the memory there is. Use less.");
  }
}

chrome_trace::~chrome_trace() = default;

std::uint64_t chrome_trace::submitted(const traced_job& j) noexcept {
  return static_cast<std::uint64_t>(j.at.count());
}

void chrome_trace::ended(const traced_job& j, job_end end) noexcept {
  attempt a{.submitted = static_cast<std::int64_t>(j.tag),
            .since = j.since.count(),
            .at = j.at.count(),
            .worker = j.worker,
            .pool = 0,
            .end = end,
            .name_size = 0,
            .name = {}};
  const std::string_view name = cut(j.name);
  a.name_size = static_cast<std::uint8_t>(name.copy(a.name.data(), name_max));
  const std::lock_guard lock(state_->lock);
  a.pool = state_->pool_of(j.pool);
  state_->attempts[state_->count++ % state_->attempts.size()] = a;
}

std::uint64_t chrome_trace::forgotten() const {
  const std::lock_guard lock(state_->lock);
  const std::uint64_t capacity = state_->attempts.size();
  return state_->count > capacity ? state_->count - capacity : 0;
}

void chrome_trace::write(std::ostream& out) const {
  std::vector<attempt> attempts;
  std::vector<std::string> pools;
  {
    const std::lock_guard lock(state_->lock);  // a copy: jobs are not to wait for a disk
    const std::vector<attempt>& ring = state_->attempts;
    const auto oldest =
        static_cast<std::ptrdiff_t>(state_->count > ring.size() ? state_->count % ring.size() : 0);
    const auto last =
        static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(state_->count, ring.size()));
    attempts.assign(ring.begin() + oldest, ring.begin() + last);
    attempts.insert(attempts.end(), ring.begin(), ring.begin() + oldest);
    pools = state_->pools;
  }
  pools.resize(0xFFFF + 1);
  std::string text = R"({"displayTimeUnit":"ns","traceEvents":[)";
  event_list events(text);
  std::set<std::pair<std::size_t, int>> lines;
  for (const attempt& a : attempts) lines.emplace(a.pool, a.worker);
  for (const auto& [pool, worker] : lines) {
    add_name(events, "process_name", pool, worker, pools[pool]);
    add_name(events, "thread_name", pool, worker,
             worker == 0 ? "who submits" : pools[pool] + ' ' + std::to_string(worker));
  }
  for (std::size_t i = 0; i < attempts.size(); ++i) {
    add_attempt(events, attempts[i], i);
    if (text.size() >= std::size_t{64} * 1024) write_text(out, text);
  }
  text += "\n]}\n";
  write_text(out, text);
}

}  // namespace weir
