// SPDX-License-Identifier: Apache-2.0
// The bytes of a backed up disk, on stdout.
#pragma once

#include <filesystem>
#include <string>

#include "common/one/chain.h"
#include "datastore/restic/lib/restic.h"

namespace restic {

// Writes one qcow2 file that holds the disk as it was at the last increment of the URL's chain.
//
// Files that were written in sequence are read side by side and merged on the way, without any
// copy; more than eight through a mount of the repository below `scratch`.  Others (of random
// layout) are passed on as they are if there is one, and else merged by qemu-img in a directory
// below `scratch`, whose space is checked first.  Error for an image that names other files.
//
// A file that is no disk's (the state of a TPM) is that of the last snapshot, as it is.
void stream_disk(const Restic& restic, const DiskUrl& url, const std::filesystem::path& scratch);

// Writes another file of the same backup ("vm.xml"), of the last increment.  BadRequest for a name
// that is a path.
void write_document(const Restic& restic, const DiskUrl& url, const std::string& name);

}  // namespace restic
