// SPDX-License-Identifier: Apache-2.0
// All disks of one backup, copied some at a time into sequential qcow2 files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/nbd/export.h"
#include "tm/host/lib/reading.h"

namespace host {

struct CopyDisk {
  nbd::Export source;
  nbd::Base base = nbd::Base::none;
  std::optional<nbd::Map> map = {};  // known already; else the server is asked
  bool exact = false;  // an increment whose map names less than clusters, and nothing besides
  bool deep = false;  // its server is faster with many requests on one connection than with several
  // What the disk held when the bitmap was begun (nbd::Map::data); empty: that is not known.
  nbd::Edges before = {};
  std::filesystem::path target;  // made, with mode 0600; must not exist; its sums go beside it
  // Filled by plan_disks():
  std::uint64_t virtual_size = 0;
  std::uint64_t dirty_bytes = 0;
  std::uint64_t file_size = 0;
  std::uint64_t data_bytes = 0;  // of it, what is read over NBD
  bool lost = false;     // the bitmap does not tell all that changed: the file holds everything
  nbd::Edges data = {};  // for the next one, as `before`
};

// Asks for the map of every disk, and lays out its file.
std::vector<qcow2::Plan> plan_disks(std::vector<CopyDisk>& disks);

// Checks that the target file system can take the files, and copies.  They and their sums are whole
// and on stable storage when it returns.  `still_well` is called several times a second and throws
// when the backup should end.  The first error ends all copies.
void copy_disks(const std::vector<CopyDisk>& disks, const std::vector<qcow2::Plan>& plans,
                const Reading& reading, const std::function<void()>& still_well);

std::uint64_t free_bytes(const std::filesystem::path& dir);  // for this user

}  // namespace host
