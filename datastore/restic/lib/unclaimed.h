// SPDX-License-Identifier: Apache-2.0
// Snapshots that may be in a repository and are no backup: nobody has been told of them.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "datastore/restic/lib/restic.h"

namespace restic {

// The tags by which such snapshots of a VM are found, in a file that outlives us:
// <var dir>/restic-run.<datastore>.<repository>.<vm>.  For one process at a time: see Running.
// Those of a copy of the file, or from before the last boot, are only named in the log: what they
// were written of may have become a good backup since.
class Leftovers {
 public:
  Leftovers(const Repository& repository, int vm_id);

  void add(const std::string& tag);   // durable when it returns
  void drop(const std::string& tag);  // there is none, or it is a backup now; Error if it stays
  // Removes the snapshots with this tag, and the tag.
  void discard(const Restic& restic, const std::string& tag, Care care);
  // The same for all tags.  What cannot be removed now is logged, and stays for the next time.
  void discard_all(const Restic& restic);

 private:
  void save() const;

  std::filesystem::path file_;
  std::vector<std::string> tags_;
};

// The snapshot that this process may write, until it is known to be good.
class Unclaimed {
 public:
  // Its tag is that of the run that the orchestrator has named (VMVAULT_RUN), else a new one.
  // Removes first what earlier backups of the VM have left.
  Unclaimed(const Restic& restic, int vm_id);
  Unclaimed(const Unclaimed&) = delete;
  Unclaimed& operator=(const Unclaimed&) = delete;
  // Unclaimed: no snapshot stays, or a line of the log says that one may.  A cancellation gives
  // this a few seconds: the next backup of the VM goes on with it.
  ~Unclaimed();

  const std::string& tag() const { return tag_; }
  // Its restic has ended, and writes no more.  Until this is said the next backup looks again.
  void ended() { ended_ = true; }
  // From now on it is a backup, and `tell` says so.  Throws, and it is none, if the note could
  // stay, by which the next backup would remove the snapshot, or if `tell` throws.
  void claim(const std::function<void()>& tell);

 private:
  const Restic& restic_;
  Leftovers leftovers_;
  std::string tag_;
  bool ended_ = false;
  bool claimed_ = false;
};

// The tag of a run; BadRequest unless the name is one: 16 hexadecimal digits.
std::string run_tag(const std::string& run);

}  // namespace restic
