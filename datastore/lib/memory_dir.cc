// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/memory_dir.h"

#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

std::string MemoryDir::unfit() const {
  const std::string place = "'" + path.string() + "' ";
  struct statfs info {};
  if (statfs(path.c_str(), &info) != 0) return place + "cannot be used: " + std::strerror(errno);
  if (info.f_type != TMPFS_MAGIC) return place + "is not in memory (tmpfs)";
  if (access(path.c_str(), W_OK | X_OK) != 0) return place + "cannot be written to";
  const auto free_mb =
      static_cast<std::uint64_t>(info.f_bavail) * static_cast<std::uint64_t>(info.f_bsize) >> 20;
  if (free_mb < needed_mb)
    return place + "has " + std::to_string(free_mb) + " MiB free, not " + std::to_string(needed_mb);
  return "";
}
