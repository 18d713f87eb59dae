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
  return {.snapshot = short_id(snapshot.id), .path = path};
}

}  // namespace

StoredFile stored_file(const Snapshot& snapshot, const std::string& name) {
  for (const fs::path path : snapshot.paths)
    if (path.filename() == name) return stored(snapshot, path);
  throw Error{"the snapshot " + short_id(snapshot.id) + " has no file '" + one_line(name) + "'"};
}

StoredFile stored_disk_file(const StoredIncrement& one, int disk) {
  const auto names = names_of_disk(disk, one.increment);
  const auto& paths = one.snapshot.paths;
  const auto it = std::find_if(paths.begin(), paths.end(), [&](const fs::path path) {
    return std::find(names.begin(), names.end(), path.filename()) != names.end();
  });
  auto file =
      it == paths.end() ? stored_file(one.snapshot, names.front()) : stored(one.snapshot, *it);
  file.merged = one.merged;
  return file;
}

bool have_exports(const std::vector<StoredFile>& chain) {
  return std::any_of(chain.begin(), chain.end(), [](const StoredFile& one) {
    return is_rbd_export(one.path.filename().string());
  });
}

std::vector<StoredFile> stored_disk(const std::vector<StoredIncrement>& chain, int disk) {
  std::vector<StoredFile> files;
  for (const auto& one : chain) files.push_back(stored_disk_file(one, disk));
  return files;
}

}  // namespace restic
