// SPDX-License-Identifier: Apache-2.0
// Where the snapshots of a chain keep a file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/one/chain.h"
#include "datastore/restic/lib/messages.h"

namespace restic {

struct StoredFile {
  std::string snapshot;  // short id
  std::filesystem::path path;
  bool merged = false;  // see StoredIncrement
};

// One increment of a chain.
struct StoredIncrement {
  int increment;  // whose files it holds
  Snapshot snapshot;
  // By a flatten that the chain knows nothing of: it is not what was captured for this increment.
  bool merged = false;
};

// The file of that base name.  The directory is the snapshot's own: a VM that moves to another
// datastore is backed up from another directory.  Throws Error, naming both, if it has none.
StoredFile stored_file(const Snapshot& snapshot, const std::string& name);

// The file of a disk, under any of the names that it may have.  The same Error.
StoredFile stored_disk_file(const StoredIncrement& stored, int disk);

// What the disk consists of: its file in each of them.
std::vector<StoredFile> stored_disk(const std::vector<StoredIncrement>& chain, int disk);

// Is one of them an export of rbd?
bool have_exports(const std::vector<StoredFile>& chain);

}  // namespace restic
