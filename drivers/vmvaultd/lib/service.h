// SPDX-License-Identifier: Apache-2.0
// The running service: the manager, its drivers, and the loop between them.
#pragma once

#include "drivers/lib/home.h"
#include "drivers/vmvaultd/lib/settings.h"

namespace vmvaultd {

// Runs until it is asked to end (common/cancel.h); the backups that run go on without it.  `self`
// is the program, for errands.  Throws an Error when another service has this state, and when the
// state cannot be written any more.
void serve(const Settings& settings, const state::Home& home, const std::string& self);

}  // namespace vmvaultd
