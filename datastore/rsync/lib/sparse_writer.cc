// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/sparse_writer.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "datastore/rsync/lib/blocks.h"
#include "datastore/rsync/lib/server_dir.h"

namespace rsync {
namespace {

constexpr std::size_t block = 4096;  // what a file system can leave out

}  // namespace

SparseWriter::SparseWriter(int fd, std::string name, std::uint64_t from, Zeros zeros)
    : fd_{fd}, name_{std::move(name)}, zeros_{zeros}, written_{from}, writeback_{fd, from} {}

void SparseWriter::add(std::span<const std::byte> bytes) {
  // A run of what is not zero; blocks are those of the file.
  std::size_t begin = 0;
  for (std::size_t at = 0; zeros_ == Zeros::left_out && at < bytes.size();) {
    const std::size_t length = std::min(bytes.size() - at, block - (written_ + at) % block);
    if (is_zero(bytes.subspan(at, length))) {
      write(written_ + begin, bytes.subspan(begin, at - begin));
      begin = at + length;
    }
    at += length;
  }
  write(written_ + begin, bytes.subspan(begin));
  written_ += bytes.size();
  writeback_.reached(written_);
}

void SparseWriter::add_zeros(std::uint64_t length) {
  if (zeros_ == Zeros::left_out)
    written_ += length;
  else
    in_zeros(length, [this](auto part) { add(part); });
}

void SparseWriter::finish() {
  if (ftruncate(fd_, static_cast<off_t>(written_)) != 0)
    throw_write_error("write '" + name_ + "'", errno);
}

void SparseWriter::write(std::uint64_t offset, std::span<const std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t n = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n == -1 && errno == EINTR) continue;
    if (n <= 0) throw_write_error("write '" + name_ + "'", n == 0 ? EIO : errno);
    offset += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

}  // namespace rsync
