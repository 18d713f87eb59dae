// SPDX-License-Identifier: Apache-2.0
// What an image says of itself must not make anybody open other files.
#pragma once

#include <cstddef>
#include <span>
#include <string>

// Of a qcow2 header, so much must be there.
inline constexpr std::size_t header_size = 80;

enum class Backing {
  refused,
  overridden,  // whoever opens it sets another one first
};

// `start`: the first bytes of the file, or all of it.  Throws an Error that begins with `what`
// ("the restored disk 0") if it is no qcow2 file, has an external data file, or has a backing file
// that is refused.
void check_header(std::span<const std::byte> start, const std::string& what, Backing backing);
