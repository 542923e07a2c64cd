// SPDX-License-Identifier: MIT
#pragma once
// The deterministic mode, as the scheduler sees it: somebody who takes every decision that is left
// to chance or to the machine otherwise. One carrier, a virtual clock, and a director: then the
// same decisions give the same run. explore() (weir/testing.hpp) brings the directors.

#include <cstddef>
#include <cstdint>

namespace weir::detail {

struct task;

class director {
 public:
  director() = default;
  director(const director&) = delete;
  director& operator=(const director&) = delete;
  virtual ~director() = default;

  /// `running` is about to do what `before` says, and could be stopped. 0: it goes on; k: it goes
  /// to the end of the lane, and the k-th of the `others` that are ready runs; others + 1, only if
  /// `time_may_pass`: the clock goes to the next timer first.
  virtual std::size_t interrupt(const task& running, const char* before, std::size_t others,
                                bool time_may_pass) = 0;
  /// Nothing runs: which of the `ready`, of which 0 would come next.
  virtual std::size_t next(std::size_t ready) = 0;
  /// A random number below n, for select.
  virtual std::uint32_t draw(std::uint32_t n) = 0;
  /// Something happens, of which there is no end in a run that never is over: an operation, a
  /// switch, a yield.
  virtual void step() = 0;
  /// The clock goes to the next timer.
  virtual void time_passes() = 0;
  /// k was chosen instead of what would have run: for the report.
  virtual void switched_to(const task& next) = 0;
  /// An exception has left `from`; it is being handled.
  virtual void escaped(const task& from) noexcept = 0;
  /// No task is ready, no timer runs: the end, or a deadlock.
  virtual void nothing_left() = 0;
  /// True when the run is to be broken off.
  [[nodiscard]] virtual bool over() const noexcept = 0;
};

}  // namespace weir::detail
