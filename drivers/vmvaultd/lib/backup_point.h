// SPDX-License-Identifier: Apache-2.0
// A restore point of a backup image, to be read.
#pragma once

#include <filesystem>
#include <string>

#include "common/command.h"
#include "drivers/lib/home.h"
#include "drivers/lib/restores.h"
#include "drivers/lib/result.h"
#include "drivers/lib/store.h"

namespace vmvaultd {

// Success, or an Error: `doing`, and the cause in the program's own words.
void insist(const Finished& finished, const std::string& doing);

class BackupPoint {
 public:
  // Error for one that is not there.
  BackupPoint(const state::Home& home, state::Store& store, const state::Origin& origin);

  Command downloader() const;  // of its datastore's driver
  std::string url(int disk) const;
  std::string target(int disk) const;  // "vda"
  const std::vector<state::DiskResult>& disks() const { return result_.disks; }
  bool has(int disk) const;
  bool is_as_seen(int disk) const { return result_.is_as_seen(this->disk(disk)); }  // by the guest
  // A small file of the backup; and what the machine kept besides its disks (machine_state.h),
  // empty if it is not in the backup.
  std::string document(const std::string& file) const;
  std::string document_if_any(const char* what) const;
  void write_sums(const std::filesystem::path& dir) const;

 private:
  const state::DiskResult& disk(int id) const;
  std::string url_of(const std::string& file) const;

  state::Store& store_;
  state::ImageRecord image_;  // up to the point
  std::string driver_;
  state::CaptureResult result_;
};

}  // namespace vmvaultd
