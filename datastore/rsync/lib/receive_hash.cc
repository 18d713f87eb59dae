// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/receive_hash.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "common/cancel.h"
#include "common/error.h"

namespace rsync {

sums::Hash hash_of(int fd, const std::string& name) {
  posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  sums::Hash hash;
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  for (off_t at = 0;;) {
    cancel::check();
    const ssize_t n = pread(fd, buffer.data(), buffer.size(), at);
    if (n == -1 && errno == EINTR) continue;
    if (n == -1) throw system_error("read '" + name + "'", errno);
    if (n == 0) return hash;
    hash.add(std::span{buffer}.first(static_cast<std::size_t>(n)));
    at += n;
  }
}

std::uint64_t size_of(int fd, const std::string& name) {
  struct stat info {};
  if (fstat(fd, &info) != 0) throw system_error("look at '" + name + "'", errno);
  return static_cast<std::uint64_t>(info.st_size);
}

}  // namespace rsync
