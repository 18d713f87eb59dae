// SPDX-License-Identifier: Apache-2.0
// Chains of qcow2 files as raw files, read at random, without a copy of them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

struct RawDisk {
  int id = -1;
  std::vector<std::filesystem::path> chain;  // its files, oldest first; what they say of each other
                                             // does not count
};

// Who makes the files readable.
struct RawProvider {
  int ended = -1;      // readable when it is not there any more; -1: nobody is needed
  std::string name{};  // for messages
};

// Serves each disk as <dir>/disk.<id>.raw, read-only and only to this user, by qemu-storage-daemon,
// until we are cancelled, which is no error.  `dir` exists.  Prints a line per file, its path, when
// all can be read.  Afterwards the files are gone.  Throws an Error that says why it cannot, or
// cannot go on.
void serve_raw(const std::vector<RawDisk>& disks, const std::filesystem::path& dir,
               const RawProvider& provider);
