// SPDX-License-Identifier: Apache-2.0
// Which files of a backup directory are stored (contract 4.6).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "datastore/lib/machine.h"

// MiB as the core accounts them: rounded up, at least 1.
std::uint64_t mebibytes(std::uint64_t bytes);

// Is this the name of a file of a disk, "disk.<number>.<anything>"?  That of a TPM is none.
bool is_disk_file(const std::string& name);

// What of a backup directory is stored.
struct Selection {
  std::vector<std::string> names;  // sorted
  std::map<std::string, std::uint64_t> sizes = {};
  bool sums_of_view = false;  // with checksums that are known when the disks were read
  std::uint64_t bytes = 0;
  std::uint64_t disk_bytes = 0;  // of the disks' files
  std::string format;            // "raw", or "rbd" for the legacy files of Ceph

  // What a driver answers when they are stored as the backup `id` (contract 3.8.3).
  std::string reply(const std::string& id) const;
};

enum class Reads { one_at_a_time, several_at_once };

// All disk.*, vm.xml, and what else belongs to a backup.  The checksums in a view are left out
// where they would be read beside their disks: the guest's disk would be read twice for them.
// Throws Error, naming the directory, when there is no disk file or no vm.xml, when one of them is
// no plain file, or when the disks are partly of legacy Ceph format.
Selection select_files(const std::vector<DirectoryEntry>& entries,
                       const std::filesystem::path& directory, Reads reads);

// Throws Error, naming the file, unless there is disk.<id>.<increment> for each of the ids, or what
// Ceph's legacy formats call it.
void require_disks(const Selection& selection, const std::vector<int>& ids, int increment,
                   const std::filesystem::path& directory);
