// SPDX-License-Identifier: Apache-2.0
// What a merged increment consists of, on the server.
#pragma once

#include <cstdint>

#include "datastore/rsync/lib/server_chain.h"

namespace rsync {

// Into the empty directory `to`, durable: the merged disks, the documents of the last increment,
// side files if the first one has them, and the checksums of a disk if those of all that it is made
// of are there, or `known` (sums_of()), with which it agrees.  Throws Error, Full, Cancelled.
void write_flat(const OpenChain& chain, const Dir& to, const Texts& known);

// Of the files of its disks, rounded up; at least 1.
std::uint64_t disk_mib(const Dir& backup);

}  // namespace rsync
