// SPDX-License-Identifier: Apache-2.0
// A connection that never blocks for longer than it was allowed to: private to common/nbd.
#pragma once

#include <libnbd.h>

#include <atomic>
#include <chrono>
#include <span>
#include <string>

#include "common/handle.h"
#include "common/nbd/export.h"

namespace nbd {

using Handle = Owned<nbd_handle, nbd_close>;
using Clock = std::chrono::steady_clock;
using Stop = const std::atomic<bool>*;

std::string display(const Export& source);  // for messages

// How a request ended.  Lives longer than the handle that it was given to.
struct Completion {
  bool done = false;
  int error = 0;
  nbd_completion_callback callback();
};

// Begins to connect.  `contexts` are asked for, not insisted on.  Throws Error.
Handle begin_connect(const Export& source, std::span<const std::string> contexts = {});

// The same, and waits until it is ready.  Throws Error, Cancelled.
Handle connect(const Export& source, std::span<const std::string> contexts,
               std::chrono::seconds deadline, Stop stop);

// Waits until something came in on one of the handles (or the time is over, or for no reason), and
// lets libnbd work on it.  What came of it is in the completions and states.  Throws Cancelled.
void wait(std::span<const Handle> handles, Clock::time_point until, Stop stop);

void check_stop(Stop stop);  // throws Cancelled

}  // namespace nbd
