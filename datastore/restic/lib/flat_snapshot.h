// SPDX-License-Identifier: Apache-2.0
// Storing the snapshot that stands for several.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "datastore/restic/lib/flatten_plan.h"
#include "datastore/restic/lib/restic.h"

namespace restic {

struct FlatSnapshot {
  std::string source;            // its short id
  std::uint64_t disk_bytes = 0;  // of its disks' files
  // Those files' checksums, by the names of sums_file(), where it was seen that they are made of
  // what was captured.
  std::map<std::string, std::string> sums{};
};

// Stores it under the paths of the newest of its sources, with that one's documents, tags and time.
// restic reads it from a view that only restic sees; where there can be none, from files in a
// directory below its `scratch` (see NotedDir, and `note`), and then they are stored under that
// path.  All readers of the sources have ended when it returns.  Throws Error, Cancelled: there may
// be a snapshot all the same.
FlatSnapshot store_flat_snapshot(const Restic& restic, const FlattenPlan& plan,
                                 const FlattenOrder& order, const std::filesystem::path& note);

// Does the snapshot hold each file that it was made of?
bool is_whole(const Restic& restic, const Snapshot& snapshot);

// One that was stored earlier.
FlatSnapshot stored_flat_snapshot(const Restic& restic, const Snapshot& snapshot);

}  // namespace restic
