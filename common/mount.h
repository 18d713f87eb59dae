// SPDX-License-Identifier: Apache-2.0
// What is mounted where.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

struct Mount {
  std::string type;    // "fuse.vmvault"
  unsigned minor = 0;  // of the device that its files are on
};

// What is mounted on exactly this path, the topmost if there are several; nullopt for nothing.
// Looks at the parent of the path only: a file system that does not answer is no matter.
std::optional<Mount> mount_on(const std::filesystem::path& path);

// Why no FUSE file system can be mounted on this machine by this user; "" if one can.
std::string no_fuse_because();

// Takes down the FUSE file systems of this type on the path, one may lie over another, also those
// that are in use or dead.  Throws Error if one stays.
void unmount_fuse(const std::filesystem::path& path, std::string_view type);

// Breaks the connection between a FUSE file system and whoever serves it, alive or not: every
// access fails from now on, and one that waits in the kernel, where no signal reaches it, fails
// too.  The mount may stay or go.  false where we may not do that.
bool break_fuse(const std::filesystem::path& path, const Mount& mount) noexcept;
