// SPDX-License-Identifier: Apache-2.0
// A backup directory goes to a server that allows only SFTP.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "datastore/rsync/lib/args.h"
#include "datastore/rsync/lib/link_target.h"

namespace rsync {

struct SftpCargo {
  Target target;
  std::filesystem::path directory;
  std::vector<std::string> files;  // of the directory, in the order in which they are to be read
  std::string base;                // BASE_PATH
  int vm = -1;
  std::string name;        // that the backup is to have
  std::string owner = {};  // see SftpPlace
  Args args;
  std::function<void(std::uint64_t done)> progress = {};  // bytes of all files
};

// All files are there, under that name, when it returns: how it went, for the log.  Goes on after a
// lost connection for as long as one brings something.  Throws Error: nothing has that name.
std::string send_by_sftp(const SftpCargo& cargo);

}  // namespace rsync
