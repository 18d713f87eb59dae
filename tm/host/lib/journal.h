// SPDX-License-Identifier: Apache-2.0
// What this backup has done, or is about to do, to a guest: <vm dir>/backup.journal.
//
// Written and fsynced before each change, so that whoever finds it knows what is owed.  It is there
// only while something is.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/lvm/volume.h"
#include "common/one/vm.h"
#include "common/rbd/image.h"

namespace host {

struct Journal {
  std::string run;        // of this backup, random
  std::string host_uuid;  // libvirt's
  std::string boot_id;
  pid_t pid = -1;  // of the backup_host that writes it
  int vm_id = -1;
  std::string domain;  // UUID; empty: no domain is involved
  std::string libvirt_uri;
  std::filesystem::path backup_dir;            // to be removed; empty: no more
  std::vector<std::filesystem::path> scratch;  // files (and the NBD socket) that may exist

  Freeze thaw_owed = Freeze::none;  // agent: thaw; suspend: resume
  bool job_begun = false;           // a libvirt backup job may run
  bool at_rest = false;             // the disks of a VM that is off: whoever starts it goes first
  bool was_paused = false;          // when the backup began
  bool had_io_error = false;        // and it was paused by an I/O error then: never resume it
  // These disks may have a new layer that their links do not say (INCREMENT_MODE=SNAPSHOT), and the
  // processors are to go on when they do.
  struct Switch {
    int disk = -1;
    std::string target;
  };
  std::vector<Switch> switches;
  bool resume_owed = false;
  // In Ceph, to be removed when this backup ends: they may exist.
  struct Snapshot {
    rbd::Image image;
    std::string name;
  };
  std::vector<Snapshot> snapshots;
  // In LVM: what they may be when this backup ends.
  struct Volume {
    lvm::Volume origin;  // that of the guest
    std::string pool;    // empty: no thin one, and it is read itself
    std::string name;    // what is read, of the same group
    bool keep = false;   // not active, but not removed either
    lvm::Volume volume() const { return origin.beside(name); }
  };
  std::vector<Volume> volumes;

  pid_t exporter = -1;  // serves a view on the backup dir; -1: nobody
  pid_t guard = -1;     // ends the backup when its maker no longer can

  // Is nothing left to do but to remove snapshots?
  bool only_snapshots() const;

  std::string to_text() const;
  static Journal parse(const std::string& text);  // Error for anything that we did not write

  // The journal in this VM dir; nullopt if there is none.
  static std::optional<Journal> load(const std::filesystem::path& vm_dir);
  void save(const std::filesystem::path& vm_dir) const;
  static void remove(const std::filesystem::path& vm_dir);
};

std::string boot_id();  // of this machine since it was started
std::string random_hex(int digits);

}  // namespace host
