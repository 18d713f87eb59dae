// SPDX-License-Identifier: Apache-2.0
// A part of a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

// As much as there is of the file from `offset` on, but no more than fits.  Throws an Error that
// says what could not be read, Cancelled.
std::size_t read_at(int fd, std::uint64_t offset, std::span<std::byte> out,
                    const std::string& what);
