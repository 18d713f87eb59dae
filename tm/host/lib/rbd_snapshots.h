// SPDX-License-Identifier: Apache-2.0
// The snapshots of an image in Ceph that belong to backups, named as OpenNebula's own driver names
// them (contract 3.4): chains go on from one driver to the other.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/rbd/image.h"
#include "tm/host/lib/journal.h"

namespace host {

// How long this host waits for the cluster, where no backup's settings say it (CEPH_DEADLINE).
enum class Shielded { no, yes };  // from a cancellation
rbd::Access ceph_access(Shielded shielded);

// "one_backup" of a full backup, "one_backup_<n>" of increment n.
inline constexpr const char* full_snapshot = "one_backup";
std::string increment_snapshot(int increment);
bool is_snapshot_name(std::string_view name);

// Removes them; goes on after a failure, and throws the first one then.
void remove_snapshots(const std::vector<Journal::Snapshot>& snapshots, const rbd::Access& access);

}  // namespace host
