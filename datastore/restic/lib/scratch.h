// SPDX-License-Identifier: Apache-2.0
// Merging a chain of qcow2 files of random layout, in a directory of our own.
#pragma once

#include <filesystem>

#include "common/one/chain.h"
#include "datastore/restic/lib/restic.h"

namespace restic {

// The merged file, in `directory`, which is empty and stays the caller's.  Throws an Error before
// the first byte if the file system has not the space for it.
std::filesystem::path merge_in(const std::filesystem::path& directory, const Restic& restic,
                               const DiskUrl& url);

// What an image says of itself must not make qemu-img open other files: throws an Error if it is no
// qcow2 file or has an external data file.  (A backing file is overridden.)
void check_image(const std::filesystem::path& file);

}  // namespace restic
