// SPDX-License-Identifier: Apache-2.0
// The process that serves a view until the backup has ended.
#pragma once

#include "tm/host/lib/serve.h"

namespace host {

// Mounts the view, writes "ready" (or why not) to the descriptor `ready` and closes it, and serves
// until the end, which it brings about as serve.h says.  Returns the exit status of the process:
// 0 when nothing is left of the backup.  Not 0: its guard has to clean up; or, when nothing but
// `ready` was told, who holds the origin.
int run_exporter(Handover& what, int ready) noexcept;

}  // namespace host
