// SPDX-License-Identifier: Apache-2.0
// Control groups without a service that manages them: for common/confine.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/confine.h"

namespace cgroup {

// Where the hierarchies are mounted.
struct Mounts {
  std::optional<std::filesystem::path> unified;     // version 2
  std::map<std::string, std::filesystem::path> of;  // version 1: by controller
};

Mounts parse_mounts(std::string_view mountinfo);  // the text of /proc/self/mountinfo
Mounts mounts();

// This process moves into the group, which has these limits from now on.  What cannot be had is
// entered in `out`.
void enter(const Mounts& where, const confine::Order& order, confine::Confined& out);

// Moves this process out of our groups, and removes those that are empty.
void leave(const Mounts& where) noexcept;

// "8:0", the whole disk below the file system that holds the directory, as limits of I/O want it.
std::optional<std::string> disk_of(const std::filesystem::path& directory);

}  // namespace cgroup
