// SPDX-License-Identifier: Apache-2.0
#include "common/qcow2/header.h"

#include <algorithm>

#include "common/error.h"

// Format: docs/interop/qcow2.txt of the qemu sources.  The backing file's name is at the offset in
// bytes 8 to 15; an external data file is bit 2 of the incompatible features (version 3, bytes 72
// to 79, big-endian).
void check_header(std::span<const std::byte> start, const std::string& what, Backing backing) {
  const auto at = [&](std::size_t place) { return std::to_integer<unsigned>(start[place]); };
  if (start.size() < header_size || at(0) != 'Q' || at(1) != 'F' || at(2) != 'I' || at(3) != 0xfb)
    throw Error{what + " is no qcow2 file"};
  if (at(7) >= 3 && (at(79) & 4) != 0) throw Error{what + " has an external data file"};
  const auto offset = start.subspan(8, 8);
  if (backing == Backing::refused &&
      std::any_of(offset.begin(), offset.end(), [](std::byte byte) { return byte != std::byte{}; }))
    throw Error{what + " has a backing file: it is no full backup"};
}
