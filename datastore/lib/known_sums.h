// SPDX-License-Identifier: Apache-2.0
// What our caller knows of the captures, and restores that notice on the way what is not what was
// backed up.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "common/qcow2/stream.h"

class KnownSums {
 public:
  // Those in the directory, by the names of sums_file(); none, where it is empty.
  explicit KnownSums(std::filesystem::path directory) : directory_{std::move(directory)} {}
  // In the directory that VMVAULT_SUMS names, if there is one.
  static KnownSums in_environment();

  // The checksums (common/sums.h) of a disk's file.
  std::optional<std::string> of(const std::string& disk_file) const;

  // The same bytes, but an Error instead of the end of the first piece that differs from the
  // checksums of its capture.  Where they are known; otherwise `source` itself.
  qcow2::Source check(const std::string& disk_file, qcow2::Source source) const;

 private:
  std::filesystem::path directory_;
};
