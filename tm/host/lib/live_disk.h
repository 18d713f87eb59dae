// SPDX-License-Identifier: Apache-2.0
// The disks of a running domain, as libvirt sees them now.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/one/vm.h"
#include "tm/host/lib/documents.h"
#include "tm/host/lib/hypervisor.h"

namespace host {

struct LiveDisk {
  int id = -1;                 // the core's
  std::string target;          // "vda"
  std::string format;          // of the active layer: qcow2 or raw
  std::filesystem::path file;  // the active layer
  bool encrypted = false;      // it, or a layer below it: qemu has the key, and reads what is in it
};

struct LiveDomain {
  std::vector<LiveDisk> disks;       // the selected ones, in the order asked for
  std::vector<std::string> others;   // targets of all other disks
  std::string domain_xml;            // for the backup: the definition to restore from
  Keeps keeps;                       // besides its disks
  int qemu_uid = -1, qemu_gid = -1;  // whom the guest's qemu runs as; -1: as libvirtd itself
};

// Throws Error, naming VM and disk, when a selected disk is missing, is no file, has another
// format, or runs on a layer below `<vm dir>/tmp` (left by another tool's backup: deleting it would
// lose the guest's writes).
LiveDomain inspect(const Domain& domain, const Vm& vm, const std::vector<int>& disk_ids,
                   const std::filesystem::path& vm_dir);

// The version of a qcow2 file (2 or 3); 0 if it is none.
int qcow2_version(const std::filesystem::path& file);

}  // namespace host
