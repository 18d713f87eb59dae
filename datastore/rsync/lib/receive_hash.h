// SPDX-License-Identifier: Apache-2.0
// The SHA-256 of what is on disk already.
#pragma once

#include <cstdint>
#include <string>

#include "common/sums.h"

namespace rsync {

// Of the whole file, and not finished, so that it can go on.  Throws Error, Cancelled.
sums::Hash hash_of(int fd, const std::string& name);
std::uint64_t size_of(int fd, const std::string& name);

}  // namespace rsync
