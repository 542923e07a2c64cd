// SPDX-License-Identifier: MIT
#pragma once
// Everything of Weir's library in one include. Each header can be read, and included, alone.

#include "channel.hpp"        // typed queues between tasks and threads
#include "context.hpp"        // cancellation, deadlines, values
#include "debug.hpp"          // who waits for what
#include "error.hpp"          // errc
#include "go.hpp"             // tasks
#include "limit.hpp"          // how often
#include "resource_pool.hpp"  // a few, shared by many
#include "runtime.hpp"        // carriers
#include "select.hpp"         // the first of several things
#include "sync.hpp"           // wait_group, mutex, semaphore, once
#include "task_group.hpp"     // tasks that belong to a scope
#include "testing.hpp"        // code under thousands of schedules
#include "timer.hpp"          // timer, ticker
#include "version.hpp"
