// SPDX-License-Identifier: Apache-2.0
// A repository as a file system: many files at a time, at random, for the price of one restic.
#pragma once

#include <filesystem>
#include <optional>

#include "common/file.h"
#include "datastore/lib/held.h"
#include "datastore/restic/lib/restic.h"
#include "datastore/restic/lib/stored.h"

namespace restic {

// `restic mount`, on a new directory below `parent`, for as long as the object lives.  Its lock
// keeps others from pruning.  Only this user can look into it.
class Mounted {
 public:
  // Returns when it is mounted.  Throws an Error that says why not, Cancelled.
  Mounted(const Restic& restic, const std::filesystem::path& parent);
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;
  // Who still reads in it gets errors.
  ~Mounted();

  // Throws an Error if it is no plain file there, or a link is on the way: who wrote the snapshot
  // has chosen where that leads, and it would be to files of this machine.
  std::filesystem::path file(const StoredFile& stored) const;
  int ended() const { return restic_->ended(); }  // readable when it is not there any more

 private:
  TempDir directory_;
  std::optional<Held> restic_;
};

}  // namespace restic
