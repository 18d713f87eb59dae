// SPDX-License-Identifier: Apache-2.0
// The files of chains, read side by side.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "common/qcow2/stream.h"
#include "datastore/lib/known_sums.h"
#include "datastore/restic/lib/dump.h"
#include "datastore/restic/lib/mounted.h"
#include "datastore/restic/lib/restic.h"
#include "datastore/restic/lib/side_by_side.h"
#include "datastore/restic/lib/stored.h"

namespace restic {

class Streams {
 public:
  // At most `files` will be open at once: up to eight by a `restic dump` each, more through a mount
  // of the repository below `scratch`.  What differs from its `sums` is an Error on the way, but in
  // merged files.  Must not outlive `restic`.
  Streams(const Restic& restic, std::size_t files, const std::filesystem::path& scratch,
          KnownSums sums);

  // The chain, oldest first, each file read up to its first data; nullopt if one of them is not of
  // sequential layout, or nothing can be mounted.  Throws Error, Cancelled.  They must not outlive
  // this object.
  std::optional<std::vector<qcow2::StreamReader>> open(const std::vector<StoredFile>& chain) const;

  // Is every byte of these held against known checksums?
  bool check_all(const std::vector<StoredFile>& chain) const;

 private:
  qcow2::Source open(const StoredFile& stored, Threads threads, SideBySide& dumps) const;

  const Restic& restic_;
  KnownSums sums_;
  bool many_;
  std::optional<Mounted> repository_;
};

// What read(2) gives, which may be less; 0: the end.  Throws Error, Cancelled.
std::size_t read_some(int fd, std::span<std::byte> out, const std::filesystem::path& name);

}  // namespace restic
