// SPDX-License-Identifier: Apache-2.0
#include "common/writeback.h"

#include <fcntl.h>

namespace {

constexpr std::uint64_t step = std::uint64_t{16} << 20;
constexpr std::uint64_t most_dirty = std::uint64_t{256} << 20;

}  // namespace

void Writeback::reached(std::uint64_t offset) {
  for (; asked_ + step <= offset; asked_ += step) {
    sync_file_range(fd_, static_cast<off_t>(asked_), step, SYNC_FILE_RANGE_WRITE);
    if (asked_ >= from_ + most_dirty)
      sync_file_range(fd_, static_cast<off_t>(asked_ - most_dirty), step,
                      SYNC_FILE_RANGE_WAIT_BEFORE);
  }
}
