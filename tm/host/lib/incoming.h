// SPDX-License-Identifier: Apache-2.0
// The disk that an in-place restore is sent: a qcow2 file on a descriptor.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "common/qcow2/stream.h"

namespace host {

// To be read in order, as it comes, if it was written in sequence.  A file of random layout waits
// in the directory first, where nobody else sees it.
qcow2::Layer open_incoming(int fd, const std::filesystem::path& directory);

// What there is; 0 at the end.
std::size_t read_some(int fd, std::span<std::byte> out);

}  // namespace host
