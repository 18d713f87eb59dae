// SPDX-License-Identifier: Apache-2.0
// What watch*.cc share.
#pragma once

#include <optional>

#include "common/one/progress.h"
#include "drivers/cli/lib/elements.h"
#include "drivers/cli/lib/meter.h"

namespace cli {

// Half a second, or until it is cancelled: then it throws Cancelled.
void pause();

// STEP, DONE and TOTAL among its children; nullopt when they are not there.
std::optional<ProgressReport> progress_in(const Element& parent);

// On stderr, as a step of the command itself is told.
void tell(Meter& meter, const std::optional<ProgressReport>& progress);

}  // namespace cli
