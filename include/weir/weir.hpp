// SPDX-License-Identifier: MIT
#pragma once
// Everything of Weir's library in one include, but for the coroutines' words (coroutine.hpp and
// pool_coroutine.hpp), which cost the compiler time. Each header can be read, and included, alone.

#include "advise.hpp"         // is a pool worth it?
#include "amount.hpp"         // what options count in
#include "channel.hpp"        // typed queues between tasks and threads
#include "context.hpp"        // cancellation, deadlines, values
#include "debug.hpp"          // who waits for what
#include "error.hpp"          // errc
#include "future.hpp"         // what a job will give
#include "go.hpp"             // tasks
#include "histogram.hpp"      // durations in fixed memory
#include "limit.hpp"          // how often something may happen
#include "metrics.hpp"        // a pool's figures for Prometheus
#include "pool.hpp"           // a bounded crew of workers
#include "process.hpp"        // jobs in, results out
#include "resource_pool.hpp"  // a few, shared by many
#include "runtime.hpp"        // carriers
#include "select.hpp"         // the first of several things
#include "sync.hpp"           // wait_group, mutex, semaphore, once
#include "task_group.hpp"     // tasks that belong to a scope
#include "testing.hpp"        // code under thousands of schedules
#include "timer.hpp"          // timer, ticker
#include "trace.hpp"          // who ran what when
#include "version.hpp"
