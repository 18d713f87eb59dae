// SPDX-License-Identifier: Apache-2.0
// A backup directory becomes a snapshot (contract 3.8.3 and 3.8.4).
#pragma once

#include <filesystem>
#include <string>

#include "datastore/lib/selection.h"
#include "datastore/restic/lib/restic.h"

namespace restic {

// Stores the files as one snapshot and returns its short id.  Success is a snapshot that has each
// file of the selection with its size; whatever else happens, also a cancellation, no snapshot
// stays.
std::string upload(const Restic& restic, const std::filesystem::path& directory,
                   const Selection& selection, int vm_id);

}  // namespace restic
