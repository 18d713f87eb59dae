// SPDX-License-Identifier: Apache-2.0
// Is a directory fit for what a running guest depends on?  What goes wrong there goes wrong in the
// guest.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace host {

// The name of a file system that is reached through a network or another process, by the number
// that statfs() gives it; "" for another.
std::string remote_file_system(std::uint64_t magic);

// Who is limited by a quota in the directory: "user 64055", "group 64055" or "project 7"; "" if
// nobody is, as far as can be known.
std::string quota_in(const std::filesystem::path& dir, int uid, int gid);

// Throws Error, naming SCRATCH_PATH as the remedy, when `dir` is no directory on local storage
// without a quota, or cannot be written by qemu's user (-1: our own).
void check_scratch_place(const std::filesystem::path& dir, int uid, int gid);

}  // namespace host
