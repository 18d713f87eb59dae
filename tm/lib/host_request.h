// SPDX-License-Identifier: Apache-2.0
// What a front-end step asks of backup_host on the hypervisor: one XML document, sent as one line
// of base64 on its stdin.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/one/config.h"
#include "common/one/vm.h"
#include "common/one/xml.h"

// What a hypervisor may be told by configuration: on the front-end, on itself, and, as
// VMVAULT_<NAME>, by the datastore.
inline constexpr const char* host_settings[] = {"AGENT_TIMEOUT",
                                                "CEPH_DEADLINE",
                                                "CONNECTIONS",
                                                "DISKS_PARALLEL",
                                                "EXPORT",
                                                "FREEZE_DEADLINE",
                                                "FS_FREEZE_FALLBACK",
                                                "KEEP_SUMS",
                                                "LVM_DEADLINE",
                                                "MAX_RIOPS",
                                                "MULTI_STORE_SUSPEND",
                                                "READ_BWLIMIT",
                                                "READ_DEADLINE",
                                                "SCRATCH_FLOOR_MB",
                                                "SCRATCH_FLOOR_PERCENT",
                                                "SCRATCH_PATH",
                                                "SOCKET_DIR",
                                                "STOCK_PARENT",
                                                "SWTPM_DIR",
                                                "VIEW_LEASE"};

// Those of this hypervisor: /etc/vmvault/host.conf, or what VMVAULT_HOST_CONF names instead.
Settings settings_of_this_host();

struct HostRequest {
  std::filesystem::path vm_dir;
  std::filesystem::path backup_dir;  // ends in "/backup"
  std::vector<int> disk_ids;
  bool live = false;
  bool take_over = false;  // nobody uploads: a view that an earlier backup left may be ended
  std::string reader;      // the host that reads the backup dir; empty: the one that fills it
  bool bridge = false;     // the guest is on another host: who calls lets it stand still there
  std::string libvirt_uri;
  Settings settings;   // by the names of share/etc/vmvault.conf
  Settings datastore;  // the datastore's own, which come before those
  std::string vm_xml;  // the VM element as it came
  Vm vm;               // the same, parsed

  // BadRequest for a disk that the VM has not or a bridge cannot read, paths that are not absolute
  // and normal, and a backup dir of another name.  The settings are the document's; of two for the
  // same, the datastore's comes before that of `host`, and that before the front-end's.
  static HostRequest parse(std::string_view xml, const Settings& host = {});
  std::string to_xml() const;

  // The same for a bridge (tm/lib/bridge.h), which keeps what it needs below the VM dir: that of
  // the VM's host may be visible there, with a lock and a journal of its own.
  HostRequest for_bridge() const;

  // Of disk_ids, in that order: those that are images in Ceph, volumes of LVM, and files.
  std::vector<int> rbd_disks() const;
  std::vector<int> lvm_disks() const;
  std::vector<int> file_disks() const;

  // A setting, or what holds without it.
  std::string setting(const std::string& name, const std::string& fallback) const;
  std::int64_t number(const std::string& name, std::int64_t fallback) const;
};
