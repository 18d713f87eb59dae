// SPDX-License-Identifier: Apache-2.0
// As KnownSums::check(), for a file that is read from any place.
#pragma once

#include <cstdint>
#include <string>

#include "common/qcow2/disk_file.h"

// The same bytes, but an Error when the piece of `sums` (common/sums.h) that they are of is another
// than its checksum says.  Pieces of which nobody reads are not looked at.  Keeps one of them in
// memory.
qcow2::ReadAt checked(qcow2::ReadAt read, std::uint64_t file_size, std::string sums,
                      std::string name);
