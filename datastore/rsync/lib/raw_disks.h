// SPDX-License-Identifier: Apache-2.0
// Backed up disks as raw files, read at random.
#pragma once

#include <filesystem>
#include <vector>

#include "common/one/chain.h"
#include "datastore/rsync/lib/store.h"

namespace rsync {

// As serve_raw() does it, for the disks of these URLs, which are all of one chain.  Of a server
// that is another machine the merged disks are copied below RSYNC_TMP_DIR first, for as long as
// they are served.  BadRequest for a URL of no disk.
void serve_raw_disks(Store& store, const std::vector<DiskUrl>& urls,
                     const std::filesystem::path& dir);

}  // namespace rsync
