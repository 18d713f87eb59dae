// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/stored.h"

#include <algorithm>

#include "common/error.h"
#include "datastore/lib/chain_layers.h"
#include "datastore/restic/lib/restic_version.h"

namespace fs = std::filesystem;

namespace restic {

namespace {

// Whoever may write into the repository wrote the path as well.
StoredFile stored(const Snapshot& snapshot, const fs::path& path) {
  if (!path.is_absolute() || path != path.lexically_normal())
    throw Error{"the snapshot " + short_id(snapshot.id) + " has a path that leads elsewhere: '" +
                one_line(path.string()) + "'"};
  return {short_id(snapshot.id), path};
}

}  // namespace

StoredFile stored_file(const Snapshot& snapshot, const std::string& name) {
  for (const fs::path path : snapshot.paths)
    if (path.filename() == name) return stored(snapshot, path);
  throw Error{"the snapshot " + short_id(snapshot.id) + " has no file '" + one_line(name) + "'"};
}

StoredFile stored_disk_file(const Snapshot& snapshot, int disk, int increment) {
  const auto names = names_of_disk(disk, increment);
  for (const fs::path path : snapshot.paths)
    if (std::find(names.begin(), names.end(), path.filename()) != names.end())
      return stored(snapshot, path);
  return stored_file(snapshot, names.front());
}

bool have_exports(const std::vector<StoredFile>& chain) {
  return std::any_of(chain.begin(), chain.end(), [](const StoredFile& one) {
    return is_rbd_export(one.path.filename().string());
  });
}

std::vector<StoredFile> stored_disk(const std::vector<Snapshot>& snapshots, const DiskUrl& url) {
  std::vector<StoredFile> files;
  const auto& increments = url.chain.increments();
  for (std::size_t i = 0; i < increments.size(); ++i)
    files.push_back(stored_disk_file(snapshots.at(i), url.disk_id(), increments[i].id));
  return files;
}

}  // namespace restic
