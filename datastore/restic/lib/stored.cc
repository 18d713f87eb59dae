// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/stored.h"

#include "common/error.h"
#include "datastore/restic/lib/restic_version.h"

namespace fs = std::filesystem;

namespace restic {

StoredFile stored_file(const Snapshot& snapshot, const std::string& name) {
  for (const fs::path path : snapshot.paths)
    if (path.filename() == name) return {short_id(snapshot.id), path};
  throw Error{"the snapshot " + short_id(snapshot.id) + " has no file '" + one_line(name) + "'"};
}

std::vector<StoredFile> stored_disk(const std::vector<Snapshot>& snapshots, const DiskUrl& url) {
  std::vector<StoredFile> files;
  const auto& increments = url.chain.increments();
  for (std::size_t i = 0; i < increments.size(); ++i)
    files.push_back(stored_file(snapshots.at(i), url.file(increments[i].id).filename()));
  return files;
}

}  // namespace restic
