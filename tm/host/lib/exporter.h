// SPDX-License-Identifier: Apache-2.0
// The process that serves a view.
#pragma once

#include "tm/host/lib/serve.h"

namespace host {

inline constexpr int never_ready = 3;  // an exit status: the caller undoes

// Mounts the view, says "ready" into `ready` (or why it cannot be), closes it, and serves until the
// backup ends; then nothing of it is left.  `guard` is a pidfd.  Returns the exit status; does not
// throw.
int run_exporter(Handover& what, int ready, int guard) noexcept;

}  // namespace host
