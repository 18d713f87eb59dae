// SPDX-License-Identifier: Apache-2.0
// Merging a chain of qcow2 files of random layout, in a directory of our own.
#pragma once

#include <filesystem>
#include <vector>

#include "common/qcow2/stream.h"
#include "datastore/restic/lib/restic.h"
#include "datastore/restic/lib/stored.h"

namespace restic {

// How much the files of a chain are together, in bytes.
std::uint64_t size_of(const Restic& restic, const std::vector<StoredFile>& chain);

// Throws an Error that names RESTIC_TMP_DIR as the remedy if there is less free in the directory.
void check_space(const std::filesystem::path& directory, std::uint64_t bytes);

// The files, each with the one before as its backing file, in `directory`, which is empty and stays
// the caller's; returns the newest one's path.  Nothing in them opens another file.
// `chain`: oldest first.
std::filesystem::path fetch_in(const std::filesystem::path& directory, const Restic& restic,
                               const std::vector<StoredFile>& chain);

// The same for files of any kind that we read ourselves.  The directory must stay as long as what
// is returned is in use.
std::vector<qcow2::Layer> fetch_layers(const std::filesystem::path& directory, const Restic& restic,
                                       const std::vector<StoredFile>& chain);

// The merged file, in `directory`, as above.  Throws an Error before the first byte if the file
// system has not the space for it.
std::filesystem::path merge_in(const std::filesystem::path& directory, const Restic& restic,
                               const std::vector<StoredFile>& chain);

}  // namespace restic
