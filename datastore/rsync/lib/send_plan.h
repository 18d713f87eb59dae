// SPDX-License-Identifier: Apache-2.0
// The files of an upload, and what makes it the same upload as an earlier one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "datastore/rsync/lib/protocol.h"

namespace rsync {

struct Plan {
  std::vector<UploadFile> files = {};  // of the directory, and then the side files of the disks
  std::string key = {};
  std::uint64_t bytes = 0;  // of those of the directory

  const UploadFile& at(const std::string& name) const;
};

// "disk.<id>.0": what later fulls are built from.
bool is_full(std::string_view name);

// A file of the directory as it is uploaded.  Throws Error for what is no plain file.
UploadFile look_at(const std::filesystem::path& directory, const std::string& name);

// What is the same upload.  If it is not, after all, the hashes of what is there say so.
std::string upload_key(int vm, bool sparse, const std::filesystem::path& directory,
                       const std::vector<UploadFile>& files);

}  // namespace rsync
