// SPDX-License-Identifier: Apache-2.0
// The documents that drivers are given, in the core's form (contract 2.7, 2.8, 2.9 and 7.9).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/one/vm.h"
#include "common/one/xml.h"
#include "drivers/lib/guest.h"
#include "drivers/lib/records.h"

namespace messages {

struct VmDisk {
  int id = -1;
  guest::GuestDisk disk;
  std::uint64_t virtual_size = 0;
};

struct VmMessage {
  int vm_id = -1;
  guest::Guest guest;
  std::vector<VmDisk> disks;
  bool running = false;  // as libvirt sees it: a qemu process exists, paused or not
  BackupConfig config;
  std::string host = "localhost";
  std::string last_source{};  // what the newest backup is called in its datastore; empty: none
};

// The element VM, derived from libvirt's description.
Xml vm(const VmMessage& message);

// The element IMAGE, as the drivers of its datastore need it.
Xml image(const state::ImageRecord& image);

// VMM_DRIVER_ACTION_DATA of a BACKUP; `dir` is the machine's directory.
Xml backup_action(const VmMessage& message, const std::filesystem::path& dir, const Xml& datastore);

// The same of a BACKUPCANCEL.
Xml cancel_action(int vm, const std::string& uuid, const std::string& host,
                  const std::filesystem::path& dir, const Xml& datastore);

// DS_DRIVER_ACTION_DATA of MONITOR, and of RM with an image.
Xml datastore_action(const Xml& datastore);
Xml datastore_action(const Xml& image, const Xml& datastore);
// The same of INCREMENT_FLATTEN; `sums` is the directory of MergeSums.
Xml flatten_action(const Xml& image, const Xml& datastore, int keep,
                   const std::filesystem::path& sums);

}  // namespace messages
