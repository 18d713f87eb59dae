// SPDX-License-Identifier: Apache-2.0
// A directory whose files are in memory, for what should not be written to a disk on its way.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

struct MemoryDir {
  std::filesystem::path path;
  std::uint64_t needed_mb = 0;  // the most that will lie there at a time

  // Why this machine cannot do it: it is no tmpfs, not ours to write, or too full.  "": it can.
  std::string unfit() const;
};
