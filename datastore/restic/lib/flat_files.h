// SPDX-License-Identifier: Apache-2.0
// The files of a flattened backup.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "datastore/restic/lib/flat_disk.h"
#include "datastore/restic/lib/flatten_plan.h"
#include "datastore/restic/lib/streams.h"

namespace restic {

// Where they will be read.
enum class Read { from_a_view, from_files };

class FlatFiles {
 public:
  // Opens what they are made of: disks by their chains, documents of the newest source, but
  // not its checksums.  Whatever
  // has to be copied is copied now, to below `directory`, if there is room for it, and for the
  // merged files, too, if those will be written: else an Error before the first byte.  What is not
  // copied is held against `sums` while it is read.
  // `restic` and `plan` must outlive this object.
  FlatFiles(const Restic& restic, const FlattenPlan& plan, Read read,
            const std::filesystem::path& directory, const KnownSums& sums);

  const std::map<std::string, std::unique_ptr<FlatDisk>>& disks() const { return disks_; }
  const std::map<std::string, std::string>& documents() const { return documents_; }
  std::vector<std::string> names() const;           // sorted
  std::uint64_t bytes() const;                      // of all of them
  std::uint64_t disk_bytes() const;                 // of the disks
  std::map<std::string, std::string> sums() const;  // FlatDisk::sums() by sums_file()

 private:
  void open_disks(Read read, const std::filesystem::path& directory);
  void read_documents();
  std::vector<StoredFile> chain_of(int disk) const;

  const Restic& restic_;
  const FlattenPlan& plan_;
  std::map<int, std::string> names_;  // of the disks' files
  Streams streams_;
  std::map<std::string, std::unique_ptr<FlatDisk>> disks_;
  std::map<std::string, std::string> documents_;
};

}  // namespace restic
