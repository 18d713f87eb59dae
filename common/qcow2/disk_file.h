// SPDX-License-Identifier: Apache-2.0
// qcow2 files of any layout, read at any place: those that qemu or others have written.
//
// Version 2 and 3, any cluster size, clusters that are standard, zero or compressed by zlib;
// internal snapshots are passed over.  Refused: encryption, external data files, subclusters, zstd,
// and what is marked as corrupt.  The bytes come from a store, so nothing in them is trusted: work
// and memory are bounded by the size of the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "common/qcow2/extent.h"

namespace qcow2 {

// The bytes of a file from `offset` on: fills `out` as far as the file goes, and returns how many.
using ReadAt = std::function<std::size_t(std::uint64_t offset, std::span<std::byte> out)>;

// May the file name another one that lies behind it?  That is never opened.
enum class Behind : std::uint8_t {
  nothing,   // a file that does is refused: it is not all of a disk
  anything,  // the caller knows what comes before it
};

class DiskFile {
 public:
  // Reads the header and the L1 table.  `name` is for messages.  Throws Error.
  DiskFile(ReadAt read, std::uint64_t file_size, std::string name, Behind behind);
  DiskFile(DiskFile&&) noexcept;
  ~DiskFile();

  std::uint64_t virtual_size() const;
  // All of the disk, from all tables.
  Extents extents();
  // The guest's bytes [offset, offset + out.size()), which must lie on the disk; what is absent
  // reads as zeros.  From any place, cheapest forward.
  void read(std::uint64_t offset, std::span<std::byte> out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace qcow2
