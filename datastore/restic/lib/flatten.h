// SPDX-License-Identifier: Apache-2.0
// The oldest increments of a chain become one (contract 3.8.11 and 4.9).
#pragma once

#include <string>

#include "datastore/restic/lib/flatten_plan.h"
#include "datastore/restic/lib/prune.h"
#include "datastore/restic/lib/restic.h"

namespace restic {

// Merges all but the last `keep` - 1 increments, and returns "<MiB of the merged one> <chain>".
//
// The new snapshot is stored and looked at first; only then the old ones are forgotten, at which
// point there is no way back any more.  Before it an Error or Cancelled leaves the chain as it was.
// Whatever it was cut off by, the next call for the same VM goes on with what is there.
std::string flatten(const Restic& restic, const FlattenOrder& order, const PrunePolicy& policy);

}  // namespace restic
