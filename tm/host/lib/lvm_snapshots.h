// SPDX-License-Identifier: Apache-2.0
// The snapshots of a volume of LVM that belong to backups, named as OpenNebula's own driver names
// them (contract 3.5): chains go on from one driver to the other.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/file.h"
#include "common/lvm/volume.h"
#include "tm/host/lib/journal.h"
#include "tm/host/lib/rbd_snapshots.h"

namespace host {

// How long this host waits for LVM, where no backup's settings say it (LVM_DEADLINE).
lvm::Access lvm_access(Shielded shielded);

// "<volume>_one_backup" of a full backup, "<volume>_one_backup_<n>" of increment n.
std::string full_snapshot_of(const std::string& volume);
std::string increment_snapshot_of(const std::string& volume, int increment);
bool is_snapshot_of(const std::string& volume, std::string_view name);

// The locks under which OpenNebula's own drivers change these groups.  Lent, as they are at first,
// programs that we start hold them, too: who is killed leaves them the time that they need.
enum class Lent { no, yes };
class GroupLocks {
 public:
  explicit GroupLocks(const std::set<std::string>& groups);
  void lend(Lent lent);

 private:
  std::vector<FileLock> held_;
};

// What a journal says of volumes, done: a volume of a guest that stands still goes on, no metadata
// is held, and nothing of the backup is active.  Of a journal of another host only if the guest's
// volumes are active on this one: a thin pool must not be used on two.
enum class Where { here, elsewhere };
void settle_volumes(const std::vector<Journal::Volume>& volumes, Where written,
                    const lvm::Access& access);

}  // namespace host
