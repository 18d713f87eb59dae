// SPDX-License-Identifier: Apache-2.0
// Which file of a chain has what: private to common/qcow2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/qcow2/plan.h"

namespace qcow2 {

// A range of the disk whose bytes are in one of the files; a gap reads as zeros.
struct Segment {
  std::uint64_t offset;
  std::uint64_t length;
  std::size_t file;
  std::uint64_t end() const { return offset + length; }
};
using Segments = std::vector<Segment>;  // ascending, without overlap

// What a reader sees after the file number `file`, of these extents, came on top of `below`.
Segments overlay(const Segments& below, const Extents& extents, std::uint64_t virtual_size,
                 std::size_t file);

// What of [0, virtual_size) is in `extents`, whatever its content, and in none of the segments.
// The extents need not be in order, and may overlap.
Extents hidden(const Segments& segments, Extents extents, std::uint64_t virtual_size);

}  // namespace qcow2
