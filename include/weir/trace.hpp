// SPDX-License-Identifier: MIT
#pragma once
// Who ran what when: hooks for one's own tracing of a pool's jobs, and a trace for Perfetto.
//
//   auto trace = std::make_shared<weir::chrome_trace>(100'000);  // keeps the last 100,000 attempts
//   weir::pool p{{.workers = 8, .tracer = trace}};
//   …
//   std::ofstream out("pool.json");
//   trace->write(out);                        // open it at ui.perfetto.dev or chrome://tracing
//
// A tracer of one's own derives from job_tracer. submitted() is called where the job is made, with
// that place's trace context at hand; the tag it returns comes back with each later call of that
// job, in whichever thread that is: so a span can follow the job through the queue.
// One tracer may serve several pools. Cost when on: two to four looks at the clock a job and these
// calls; when off, a test of a pointer (docs/guide.md has the figures).

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string_view>

namespace weir {

/// How an attempt, or a job that was never run, ended.
enum class job_end : std::uint8_t {
  done,       ///< returned
  failed,     ///< threw, or was late
  cancelled,  ///< before it started or since
  again,      ///< threw, and is to be tried again: started() follows, or another end
  dropped,    ///< by drop_oldest or drop_newest
  rejected,   ///< not taken
  returned,   ///< by stop(), to its caller
};
[[nodiscard]] std::string_view to_string(job_end end) noexcept;

/// What a tracer is told. The texts live for as long as the call.
struct traced_job {
  std::string_view pool;
  std::string_view name;  ///< as given; empty if none was
  std::uint64_t tag = 0;  ///< as submitted() returned it
  int worker = 0;         ///< its number, from 1; 0: no worker, but who submits
  /// When: since the epoch of steady_clock, or of the runtime's virtual clock.
  std::chrono::nanoseconds at{0};
  /// For ended(): when the attempt started; `at` if it never did.
  std::chrono::nanoseconds since{0};
};

/// Derive from it to follow a pool's jobs. Thread safety: its functions are called by many threads
/// at once, without any lock held; they should be quick, for the job waits for them, and must not
/// throw.
class job_tracer {
 public:
  virtual ~job_tracer() = default;
  /// By who submits, before the pool looks at the job.
  virtual std::uint64_t submitted(const traced_job& j) noexcept;
  /// By the worker, before each attempt.
  virtual void started(const traced_job& j) noexcept;
  /// By the worker, after each attempt; and by whoever ends a job that was never run.
  virtual void ended(const traced_job& j, job_end end) noexcept = 0;
};

/// Keeps the last attempts in fixed memory, and writes them in Chrome's trace event format: a
/// process for each pool, a thread for each worker, a slice for each attempt with its end and how
/// long it was queued. Jobs that were never run are instants on the line of who submits.
class chrome_trace final : public job_tracer {
 public:
  /// `capacity`: how many attempts it keeps, of 64 bytes each; when it is full the oldest go.
  /// Throws std::invalid_argument if it is 0 or more than memory can hold.
  explicit chrome_trace(std::size_t capacity = 65'536);
  ~chrome_trace() override;

  std::uint64_t submitted(const traced_job& j) noexcept override;
  void ended(const traced_job& j, job_end end) noexcept override;

  /// A JSON object with "traceEvents". May be called at any time; what still runs is not in it.
  void write(std::ostream& out) const;
  /// Attempts that were overwritten by later ones.
  [[nodiscard]] std::uint64_t forgotten() const;

 private:
  struct state;
  const std::unique_ptr<state> state_;
};

}  // namespace weir
