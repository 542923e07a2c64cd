// SPDX-License-Identifier: MIT
#pragma once
// Schedules: sequences of decisions, and the plans that make them up. A decision has some
// alternatives, of which 0 is what would happen anyway: the running task goes on, the lane's first
// is next.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/random.hpp"

namespace weir::detail {

enum class decision_kind : std::uint8_t { interrupt, next, draw };

struct decision {
  decision_kind kind;
  std::uint32_t alternatives;
  std::uint32_t chosen;
};

/// What is chosen at some steps; 0 at all others.
using deviations = std::map<std::uint64_t, std::uint32_t>;

/// A schedule in words: a seed, or a list of deviations.
struct schedule {
  bool by_seed = true;
  std::uint64_t seed = 1;
  deviations choices;

  /// "42", or "s9.1-17.2": at step 9 alternative 1, at step 17 alternative 2; "s" alone: none.
  [[nodiscard]] std::string text() const;
  /// Throws std::invalid_argument that shows the text and the form.
  [[nodiscard]] static schedule parse(std::string_view text);
};

/// Decides. `step` counts the decisions of a run.
class plan {
 public:
  plan() = default;
  plan(const plan&) = delete;
  plan& operator=(const plan&) = delete;
  virtual ~plan() = default;
  /// How many alternatives of a decision are open; 1 or less: it is none.
  [[nodiscard]] virtual std::uint32_t open(decision_kind /*kind*/, std::uint32_t n) { return n; }
  [[nodiscard]] virtual std::uint32_t choose(std::uint64_t step, decision_kind kind,
                                             std::uint32_t alternatives) = 0;
};

/// Random, from a seed. Seeds differ in kind, too: from hardly any preemption to one everywhere,
/// and some with a few at random places, which finds what needs to be rare (after Burckhardt et
/// al., "A randomized scheduler with probabilistic guarantees of finding bugs", 2010).
class random_plan final : public plan {
 public:
  explicit random_plan(std::uint64_t seed);
  std::uint32_t choose(std::uint64_t step, decision_kind kind, std::uint32_t n) override;

 private:
  [[nodiscard]] bool interrupts_now() noexcept;

  random_source random_;
  std::vector<std::uint64_t> places_;     // of the interrupts to make, by their count
  std::uint32_t one_in_ = 0;              // or so often; 0: never
  std::uint32_t next_shuffled_of_4_ = 0;  // how often another than the lane's first is next
  std::uint64_t interrupts_seen_ = 0;
};

/// As written.
class fixed_plan final : public plan {
 public:
  explicit fixed_plan(const deviations& choices) : choices_(choices) {}
  std::uint32_t choose(std::uint64_t step, decision_kind kind, std::uint32_t n) override;

 private:
  const deviations& choices_;
};

/// One path of the tree of all schedules with a bounded number of preemptions.
class path_plan final : public plan {
 public:
  path_plan(std::vector<std::uint32_t> path, int preemptions)
      : path_(std::move(path)), left_(preemptions) {}
  std::uint32_t open(decision_kind kind, std::uint32_t n) override;
  std::uint32_t choose(std::uint64_t step, decision_kind kind, std::uint32_t n) override;
  /// After a run of `taken` decisions that did not fail: it had not all the alternatives that the
  /// path says, as the run before it had them.
  [[nodiscard]] bool was_left(std::size_t taken) const noexcept {
    return left_path_ || taken < path_.size();
  }
  /// The path that follows the one that was taken; empty if that was the last.
  [[nodiscard]] static std::vector<std::uint32_t> after(std::vector<decision> taken);

 private:
  std::vector<std::uint32_t> path_;
  int left_;  // preemptions
  bool left_path_ = false;
};

}  // namespace weir::detail
