// SPDX-License-Identifier: MIT
#include "pool/pool_options.hpp"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "weir/runtime.hpp"

namespace weir::detail {
namespace {

constexpr std::int64_t workers_max = 10'000'000;

[[noreturn]] void refuse(const std::string& name, const std::string& value,
                         const std::string& remedy) {
  throw std::invalid_argument("weir::pool: " + name + " " + value + " " + remedy);
}

void check_not_negative(const char* name, std::int64_t value) {
  if (value < 0) refuse(name, std::to_string(value), "is negative. Use 0 for none.");
}

/// For every job that is submitted: the names are put together only where one is needed.
void check_cost(const char* name, const cost& c) {
  if (c.memory >= 0 && c.units >= 0) return;
  check_not_negative((std::string(name) + ".memory").c_str(), c.memory);
  check_not_negative((std::string(name) + ".units").c_str(), c.units);
}

void check_retry(const retry_policy& r, int least) {
  if (r.attempts < least) {
    refuse("retry.attempts", std::to_string(r.attempts), "is too few. Use 1 for no retry.");
  }
  check_not_negative("retry.first", r.first.count());
  check_not_negative("retry.max", r.max.count());
  if (!(r.factor >= 1) || !std::isfinite(r.factor)) {
    refuse("retry.factor", std::to_string(r.factor), "must be 1 or more.");
  }
  if (!(r.jitter >= 0 && r.jitter <= 1)) {
    refuse("retry.jitter", std::to_string(r.jitter), "must be between 0 and 1.");
  }
}

void check_fits(const char* name, std::int64_t wanted, std::int64_t all, const char* bound) {
  if (all != 0 && wanted > all) {
    refuse(name, std::to_string(wanted),
           std::string("is more than the pool's ") + bound + ", " + std::to_string(all) +
               ": the job could never start. Raise that, or split the job.");
  }
}

}  // namespace

int first_workers(worker_count n) {
  if (n.is_adaptive()) {
    if (n.min() < 1 || n.max() < n.min() || n.max() > workers_max) {
      refuse("workers",
             "adaptive{" + std::to_string(n.min()) + ", " + std::to_string(n.max()) + "}",
             "must have 1 <= min <= max <= " + std::to_string(workers_max) + ".");
    }
    return static_cast<int>(std::clamp<std::int64_t>(default_carriers(), n.min(), n.max()));
  }
  if (n.min() < 0 || n.min() > workers_max) {
    refuse("workers", std::to_string(n.min()),
           "is out of range. Use 1 to " + std::to_string(workers_max) +
               ", or 0 for as many as there are CPUs.");
  }
  return n.min() == 0 ? default_carriers() : static_cast<int>(n.min());
}

retry_test::~retry_test() = default;

pool_options checked(pool_options o) {
  (void)first_workers(o.workers);
  check_not_negative("queue", o.queue);
  if (o.queue > std::numeric_limits<std::int64_t>::max() / 4) {
    refuse("queue", std::to_string(o.queue), "is more than any memory can hold.");
  }
  check_cost("queue_cost", o.queue_cost);
  check_cost("budget", o.budget);
  check_not_negative("timeout", o.timeout.count());
  check_not_negative("stuck_after", o.stuck_after.count());
  check_retry(o.retry, 1);
  check_not_negative("brake.min_available", o.brake.min_available);
  if (!(o.brake.max_pressure >= 0 && o.brake.max_pressure <= 100)) {
    refuse("brake.max_pressure", std::to_string(o.brake.max_pressure), "must be 0 to 100 percent.");
  }
  for (const int cpu : o.affinity) {
    if (cpu < 0 || cpu >= CPU_SETSIZE) {
      refuse("affinity", std::to_string(cpu), "is no CPU's number.");
    }
  }
  if (!o.affinity.empty() && o.host != host::threads) {
    refuse("affinity", "", "is for host::threads only: tasks have no thread of their own.");
  }
  return o;
}

void check_job(const job_options& j, const pool_options& pool) {
  check_cost("cost", j.cost);
  check_not_negative("timeout", j.timeout.count());
  check_retry(j.retry, 0);
  if (static_cast<unsigned>(j.priority) > static_cast<unsigned>(priority::low)) {
    refuse("priority", std::to_string(static_cast<unsigned>(j.priority)), "is none.");
  }
  check_fits("cost.memory", j.cost.memory, pool.budget.memory, "budget.memory");
  check_fits("cost.units", j.cost.units, pool.budget.units, "budget.units");
  check_fits("cost.memory", j.cost.memory, pool.queue_cost.memory, "queue_cost.memory");
  check_fits("cost.units", j.cost.units, pool.queue_cost.units, "queue_cost.units");
}

std::chrono::nanoseconds retry_delay(const retry_policy& policy, int made, double random) {
  if (policy.first.count() == 0) return {};  // (a factor may have grown beyond all numbers)
  const double most = static_cast<double>(policy.max.count());
  const double full =
      std::min(static_cast<double>(policy.first.count()) * std::pow(policy.factor, made - 1), most);
  const double left = full * (1 - policy.jitter * random);
  return std::chrono::nanoseconds(
      static_cast<std::int64_t>(std::min(left, 9.0e18)));  // below the largest there is
}

}  // namespace weir::detail
