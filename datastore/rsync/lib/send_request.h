// SPDX-License-Identifier: Apache-2.0
// What datastore/rsync/send is asked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "datastore/rsync/lib/link_target.h"

namespace rsync {

inline constexpr std::size_t most_channels = 16;

struct SendRequest {
  struct File {
    std::string name;  // in the directory
    std::uint64_t size = 0;
  };

  std::filesystem::path directory;  // the backup dir
  std::vector<File> files;          // in the order in which they are to be read
  Target target;
  std::string base;  // BASE_PATH
  int vm = -1;
  std::string name;   // that the backup is to have
  std::string owner;  // partial_name.h; empty in what an older vmvault asks
  std::string args;   // RSYNC_ARGS
  std::string transport = "auto";
  std::size_t channels = 4;         // so many disks at a time, at most
  std::vector<std::string> server;  // what starts the helper there; empty: it has only SFTP

  // One line of base64 of JSON.  BadRequest, whose text quotes nothing.
  static SendRequest decode(std::string_view line);
  std::string encode() const;  // with its newline
};

}  // namespace rsync
