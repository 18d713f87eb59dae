// SPDX-License-Identifier: Apache-2.0
// Merging a chain of qcow2 files of random layout, in a directory of our own.
#pragma once

#include <filesystem>
#include <vector>

#include "datastore/restic/lib/restic.h"
#include "datastore/restic/lib/stored.h"

namespace restic {

// The merged file, in `directory`, which is empty and stays the caller's.  Throws an Error before
// the first byte if the file system has not the space for it.
// `chain`: oldest first.
std::filesystem::path merge_in(const std::filesystem::path& directory, const Restic& restic,
                               const std::vector<StoredFile>& chain);

}  // namespace restic
