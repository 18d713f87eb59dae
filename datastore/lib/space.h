// SPDX-License-Identifier: Apache-2.0
// How full a file system is, as the core wants to hear it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

struct Space {
  std::uint64_t used_mb = 0, total_mb = 0, free_mb = 0;

  // Of the file system that holds this directory.  Throws Error.
  static Space of(const std::filesystem::path& directory);
  // From `df -P -B1M <directory>`.  Throws Error when that is not its output.
  static Space parse_df(std::string_view text);

  std::string text() const;  // the three lines of `monitor`
};
