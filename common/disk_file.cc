// SPDX-License-Identifier: Apache-2.0
#include "common/disk_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>

#include "common/error.h"
#include "common/file.h"

namespace disk_file {
namespace {

std::uint64_t big_endian(const unsigned char* bytes, int count) {
  std::uint64_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | bytes[i];
  return value;
}

}  // namespace

DiskFile probe(const std::filesystem::path& path, const std::string& format) {
  const Fd fd = open_file(path, O_RDONLY | O_NONBLOCK);
  struct stat status;
  if (fstat(fd.get(), &status) != 0) throw system_error("examine '" + path.string() + "'", errno);
  if (!S_ISREG(status.st_mode)) throw Error{"'" + path.string() + "' is not a file"};
  if (format != "qcow2")
    return {.virtual_size = static_cast<std::uint64_t>(status.st_size), .tracks_changes = false};

  std::array<unsigned char, 32> header{};
  const ssize_t n = pread(fd.get(), header.data(), header.size(), 0);
  if (n == -1) throw system_error("read '" + path.string() + "'", errno);
  constexpr std::uint64_t magic = 0x514649fb;
  if (n < static_cast<ssize_t>(header.size()) || big_endian(header.data(), 4) != magic)
    throw Error{"'" + path.string() + "' is not a qcow2 image, as its domain says"};
  return {.virtual_size = big_endian(header.data() + 24, 8),
          .tracks_changes = big_endian(header.data() + 4, 4) >= 3};
}

}  // namespace disk_file
