// SPDX-License-Identifier: Apache-2.0
// Checksums that outlive a merge: the driver holds what it reads against those of the captures, and
// leaves those of the merged disks, which are as good, beside them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "drivers/lib/home.h"
#include "drivers/lib/records.h"
#include "drivers/lib/store.h"

namespace state {

class MergeSums {
 public:
  // A directory of this image.  What a merge that was killed has left there may be what the next
  // one needs.
  MergeSums(const Home& home, int image);

  const std::filesystem::path& directory() const { return directory_; }
  // Writes what is known of the captures.  Throws Error.
  void give(const Store& store) const;
  // Those of the merged increment, by what its datastore calls it; none: they are not known.
  std::vector<SumsRecord> take(const BackupRecord& merged) const;
  // The merge is on record, or the image is no more.
  void forget() const noexcept;

 private:
  int image_;
  std::filesystem::path directory_;
};

}  // namespace state
