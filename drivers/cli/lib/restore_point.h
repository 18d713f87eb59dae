// SPDX-License-Identifier: Apache-2.0
// An increment of an image, as one of the commands that read backups wants it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "drivers/cli/lib/app.h"
#include "drivers/lib/reading.h"
#include "drivers/lib/result.h"

namespace cli {

struct RestorePoint {
  state::ImageRecord image;              // its increments up to this one
  std::string protocol;                  // of its datastore's URLs
  std::vector<state::DiskResult> disks;  // those that are wanted
  state::CaptureResult result;
  std::optional<state::Reading> reading;  // as long as it is kept the image stays

  const state::BackupRecord& last() const { return image.increments.back(); }
  std::string name() const { return "image " + std::to_string(image.id); }
  bool has(const char* document) const;
  DiskUrl url(const state::DiskResult& disk) const;

  // The program that reads from the datastore.
  Command downloader(const App& app) const;
  // A small file of the backup.  Throws Error.
  std::string document(const App& app, const std::string& file) const;
};

// We read it.  nullopt, which is told: that cannot be noted, and it is read all the same.
std::optional<state::Reading> reading_of(const App& app, int image);

// The last increment, or the one that is named; all disks, or one.  BadRequest, saying where to
// look, for one that does not exist; Error for a backup that cannot be read.
RestorePoint restore_point(const App& app, int image, std::optional<int> increment,
                           std::optional<int> disk);

}  // namespace cli
