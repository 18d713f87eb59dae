// SPDX-License-Identifier: Apache-2.0
#include "common/machine_dir.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/file.h"

namespace fs = std::filesystem;

// qemu runs as another user only when root asks for it; nobody else needs to pass through.
void make_passable(const fs::path& dir) {
  const bool root = geteuid() == 0;
  if (mkdir(dir.c_str(), root ? 0711 : 0700) != 0 && errno != EEXIST)
    throw system_error("make the directory '" + dir.string() + "'", errno);
  struct stat now {};
  if (!root || (stat(dir.c_str(), &now) == 0 && (now.st_mode & 0111) == 0111)) return;
  if (chmod(dir.c_str(), (now.st_mode & 07777) | 0111) != 0)
    throw system_error("open '" + dir.string() + "' for qemu's user", errno);
}

void link_disks(const fs::path& dir, const std::map<int, fs::path>& files) {
  for (const auto& path : entries_of(dir))
    if (path.filename().string().starts_with("disk.") && fs::is_symlink(path)) fs::remove(path);
  for (const auto& [id, file] : files) {
    const auto link = dir / ("disk." + std::to_string(id));
    if (symlink(file.c_str(), link.c_str()) != 0)
      throw system_error("make the link '" + link.string() + "'", errno);
  }
}
