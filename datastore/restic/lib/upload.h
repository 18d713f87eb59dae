// SPDX-License-Identifier: Apache-2.0
// A backup directory becomes a snapshot (contract 3.8.3 and 3.8.4).
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "datastore/lib/selection.h"
#include "datastore/restic/lib/restic.h"

namespace restic {

// Stores the files as one snapshot, and tells its short id.  Success is a snapshot that has each
// file of the selection with its size, and that was told; whatever else happens, also a
// cancellation or an exception of `tell`, no snapshot stays.
void upload(const Restic& restic, const std::filesystem::path& directory,
            const Selection& selection, int vm_id,
            const std::function<void(const std::string& snapshot)>& tell);

}  // namespace restic
