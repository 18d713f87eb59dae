// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "common/one/datastore.h"

namespace restic {

// The limits of pruning (RESTIC_PRUNE_MAX_UNUSED, RESTIC_PRUNE_MAX_REPACK).  BadRequest, naming
// the attribute, for a value that restic would not take.
std::vector<std::string> prune_options(const Datastore& datastore);

}  // namespace restic
