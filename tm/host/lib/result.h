// SPDX-License-Identifier: Apache-2.0
// What a capture found and did: vmvault.json in the backup, and <vm dir>/backup.result.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/one/vm.h"

namespace host {

struct DiskResult {
  int id = -1;
  std::string target;
  std::string file;    // "disk.0.3"
  std::string format;  // of the guest's disk: qcow2, raw
  std::string kind;    // full: the first of a chain; increment: what changed; whole: an increment
                       // that holds everything
  std::string why;     // why it is whole
  std::uint64_t virtual_size = 0, dirty_bytes = 0, read_bytes = 0, file_size = 0;
};

// A file of the machine besides its disks (documents.h).
struct DocumentResult {
  std::string what;
  std::string file;  // in the backup; empty: it is not in it
  std::string why;   // why not
  std::uint64_t size = 0;
};

struct Result {
  int vm_id = -1;
  int increment = 0, parent = -1;
  bool live = false;
  Mode mode = Mode::full;
  Freeze asked = Freeze::none;
  bool consistent = false;  // the guest stood still, or was off, at the point in time
  std::string inconsistent_why;
  double freeze_seconds = 0;
  std::string time;       // of the point in time, ISO 8601, UTC
  std::string capture{};  // BackupConfig::capture; empty: nobody has called it anything
  std::vector<DiskResult> disks;
  std::vector<DocumentResult> documents;
  std::map<std::string, std::string> files{};  // SHA-256 of what is beside the disks, by name

  std::string to_json() const;
};

std::string utc_now();

}  // namespace host
