// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace qcow2 {

// What a part of a guest's disk is to one file of a chain.
enum class Content : std::uint8_t {
  absent,  // nothing here: a reader looks into the file before, or reads zeros if there is none
  zero,    // reads as zeros, whatever the file before holds
  data,
};

// A range of a guest's disk, in bytes.
struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  Content content = Content::absent;
  std::uint64_t end() const { return offset + length; }
  bool operator==(const Extent&) const = default;
};

// Ascending, without overlap; a gap is absent.
using Extents = std::vector<Extent>;

// Appends, joined with the last one where both touch and have the same content.
inline void append(Extents& extents, const Extent& next) {
  if (!extents.empty() && extents.back().end() == next.offset &&
      extents.back().content == next.content)
    extents.back().length += next.length;
  else
    extents.push_back(next);
}

}  // namespace qcow2
