// SPDX-License-Identifier: Apache-2.0
// The header of a qcow2 file of any layout: private to common/qcow2.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "common/error.h"
#include "common/qcow2/disk_file.h"

namespace qcow2 {

struct DiskHeader {
  std::uint64_t virtual_size = 0;
  std::uint64_t l1_offset = 0, l1_entries = 0;  // entries: as many as the disk needs
  unsigned version = 0, bits = 0;               // of the cluster size

  std::uint64_t cluster() const { return std::uint64_t{1} << bits; }
  std::uint64_t l2_entries() const { return cluster() / 8; }
};

// Throws Error, with the name in it.
DiskHeader read_header(const ReadAt& read, std::uint64_t file_size, const std::string& name,
                       Behind behind);

}  // namespace qcow2
