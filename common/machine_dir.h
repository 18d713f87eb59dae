// SPDX-License-Identifier: Apache-2.0
// A machine's directory, where drivers look for its disks.
#pragma once

#include <filesystem>
#include <map>

// Makes the directory, if need be, so that qemu's user may pass through it (for root), and nobody
// may list it.
void make_passable(const std::filesystem::path& dir);

// Points <dir>/disk.<id> to each disk's file, and takes away the links to others.
void link_disks(const std::filesystem::path& dir,
                const std::map<int, std::filesystem::path>& files);

// What each disk was when an increment was taken (tm/host/lib/marks.h).
inline std::filesystem::path marks_file(const std::filesystem::path& dir) {
  return dir / "backup.marks";
}
