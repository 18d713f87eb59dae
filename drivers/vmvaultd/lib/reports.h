// SPDX-License-Identifier: Apache-2.0
// What the service would say if it ran, of the state file alone.
#pragma once

#include <string>

#include "drivers/lib/store.h"
#include "drivers/vmvaultd/lib/settings.h"

namespace vmvaultd {

// The queue (queue.h), as it is at `now`.
std::string report_queue(state::Store& store, const Settings& settings, Time now);

// What the rules would do with each restore point, and why: a line for each.
std::string report_retention(state::Store& store, const Settings& settings, Time now);

}  // namespace vmvaultd
