// SPDX-License-Identifier: Apache-2.0
// A virtual machine as the core describes it (element VM; contract 2.9 and 4.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/one/chain.h"
#include "common/one/xml.h"

struct Disk {
  int id = -1;
  std::string target;  // "vda": the name that libvirt knows it by
  std::string type;    // FILE, RBD, FS, SWAP, CDROM, ... in upper case
  std::string format;  // qcow2, raw, ... in lower case; empty if the core does not say
  std::string tm_mad;
  std::string source;
  std::int64_t size_mb = 0;
  // Of an image in Ceph: "pool/image", named as the core's own drivers name it (contract 3.4), and
  // how the cluster is reached.  Empty: it is no such disk.
  std::string rbd;
  std::string ceph_user, ceph_conf, ceph_key_file;
  // Of a logical volume of LVM: "group/volume", named as the core's own drivers name it (contract
  // 3.5), and the thin pool of the same group that it is in; empty: it is in none.
  std::string lvm, lvm_pool;
  // It is a file, as far as the core says.
  bool is_file() const { return rbd.empty() && lvm.empty(); }
};

enum class Mode { full, increment };
enum class IncrementMode { cbt, snapshot };
enum class Freeze { none, agent, suspend };

struct BackupConfig {
  Mode mode = Mode::full;
  IncrementMode increment_mode = IncrementMode::cbt;
  Freeze freeze = Freeze::none;
  int last_increment_id = -1;  // of the active chain; -1: the next one is the first
  // What whoever asks calls this backup, and what that of last_increment_id was called; "": it was
  // not.  nullopt: nobody says whether it is the one whose marks are there.
  std::string capture{};
  std::optional<std::string> last_capture{};
  // What whoever asks has on record in that datastore: what the increment goes on from, and the
  // newest backup of the VM; nullopt: nobody says, or there is none.
  std::optional<Chain> chain{};
  std::optional<std::string> stored{};
  int previous_increment_id = -1;  // of the chain that goes on should this first one fail
  int last_datastore_id = -1;
  std::string last_bridge;  // empty: the VM's host does the work

  // Contract 4.1: what the backup is based on (-1: nothing) and its own number.
  int parent_id() const { return mode == Mode::increment ? last_increment_id : -1; }
  int own_id() const { return parent_id() + 1; }
  // Whose marks have to stay beside the own ones, which bear its number; -1: none.
  int kept_id() const {
    if (parent_id() >= 0 || mode == Mode::full) return parent_id();
    return previous_increment_id > own_id() ? previous_increment_id : -1;
  }
};

struct Vm {
  int id = -1;
  std::string deploy_id;  // libvirt's name or UUID
  std::string name;
  int lcm_state = 0;  // 69: BACKUP, of a running VM; 70: BACKUP_POWEROFF
  std::vector<Disk> disks;
  BackupConfig backup;
  bool has_tpm = false;
  bool failed = false;  // BACKUP_RESULT is FAILURE: the steps before went wrong

  // From a VM element.  Unknown words fall back as the core's own drivers do (unknown MODE:
  // full, unknown FS_FREEZE: none).  BadRequest for a missing or unreadable ID, disk id or
  // increment id, or a disk target that is no device name.
  static Vm parse(const XmlNode& vm);

  const Disk& disk(int id) const;  // BadRequest, naming the id, if the VM has none such
  bool running() const { return lcm_state == 69; }
};

// "0:2:5" (also with the trailing colon of OpenNebula 6.x) to ids, in that order.  BadRequest for
// an empty list, anything that is no number, and duplicates.
std::vector<int> parse_disk_ids(std::string_view text);

std::string to_text(Freeze freeze);          // "NONE", "AGENT", "SUSPEND"
Freeze parse_freeze(std::string_view text);  // any case; unknown: none
