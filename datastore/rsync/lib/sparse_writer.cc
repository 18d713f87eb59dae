// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/sparse_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "datastore/rsync/lib/blocks.h"
#include "datastore/rsync/lib/server_dir.h"

namespace rsync {
namespace {

constexpr std::size_t block = 4096;  // what a file system can leave out
// No more than a part of the memory is filled with what the disk has not taken yet.
constexpr std::uint64_t writeback_step = std::uint64_t{16} << 20;
constexpr std::uint64_t most_dirty = std::uint64_t{256} << 20;

}  // namespace

SparseWriter::SparseWriter(int fd, std::string name, std::uint64_t from, Zeros zeros)
    : fd_{fd}, name_{std::move(name)}, from_{from}, zeros_{zeros}, written_{from}, flushed_{from} {}

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
  start_writeback();
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

// Only a hint: what it cannot do, the last fsync does, and says what went wrong.
void SparseWriter::start_writeback() {
  for (; written_ - flushed_ >= writeback_step; flushed_ += writeback_step) {
    const auto offset = [](std::uint64_t at) { return static_cast<off_t>(at); };
    sync_file_range(fd_, offset(flushed_), writeback_step, SYNC_FILE_RANGE_WRITE);
    if (flushed_ >= from_ + most_dirty)
      sync_file_range(fd_, offset(flushed_ - most_dirty), writeback_step,
                      SYNC_FILE_RANGE_WAIT_BEFORE);
  }
}

}  // namespace rsync
