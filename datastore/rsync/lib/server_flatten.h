// SPDX-License-Identifier: Apache-2.0
// Makes one increment of the oldest ones of a chain, on the server.
//
// It lives under the name of the last of them, as stock has it.  It is built in <name>.flat, with a
// document that says which chain it stands for, and then takes the place of <name>; what was there
// and the older ones are removed after that.  Killed at any step, the next run goes on to the same
// end, and every reader finds a whole chain at any time: see share/doc/adr/0041-rsync-flatten.md.
#pragma once

#include <cstdint>

#include "common/one/chain.h"
#include "datastore/lib/verification.h"
#include "datastore/rsync/lib/server_dir.h"

namespace rsync {

struct Flattened {
  std::uint64_t mib = 0;  // of the disks of the merged increment
  Chain chain;            // what is left
};

// Leaves `keep` increments, or fewer if an earlier run had merged more.  What is not what its
// checksums say, those that are `known` from the captures (sums_of()) before all, is not merged.
// Throws Error, Full, Cancelled.
Flattened flatten(const Dir& vm, const Chain& chain, int keep, const Texts& known);

}  // namespace rsync
