// SPDX-License-Identifier: Apache-2.0
// What the first bytes of a disk's file say.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace disk_file {

struct DiskFile {
  std::uint64_t virtual_size = 0;
  bool tracks_changes = false;  // qcow2 of version 3: it can hold a dirty bitmap
};

// `format` is what the domain says: a guest that writes a qcow2 header into its raw disk must
// not be believed.  Throws an Error, naming the path, for a file that is missing, is no file, or
// is not of that format.
DiskFile probe(const std::filesystem::path& path, const std::string& format);

}  // namespace disk_file
