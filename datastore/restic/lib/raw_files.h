// SPDX-License-Identifier: Apache-2.0
// Backed up disks as raw files, read at random, without a copy of them.
#pragma once

#include <filesystem>
#include <vector>

#include "common/one/chain.h"
#include "datastore/restic/lib/restic.h"

namespace restic {

// Serves the disk of each URL as <dir>/disk.<id>.raw, read-only and only to this user, until we are
// cancelled, which is no error.  `dir` exists; all URLs are of one chain.  Prints a line per file,
// its path, when all can be read.  Afterwards the files are gone.  `scratch`: where the repository
// is mounted.  Throws an Error that says why it cannot, or cannot go on; BadRequest for a URL of no
// disk.
void serve_raw_files(const Restic& restic, const std::vector<DiskUrl>& urls,
                     const std::filesystem::path& dir, const std::filesystem::path& scratch);

}  // namespace restic
