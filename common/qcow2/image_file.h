// SPDX-License-Identifier: Apache-2.0
// An image that came from elsewhere, before a program of qemu works with it.
#pragma once

#include <filesystem>
#include <string>

#include "common/qcow2/header.h"

// As check_header(), of a file.
void check_header_of(const std::filesystem::path& file, const std::string& what, Backing backing);

// Throws an Error that begins with `what` if qemu-img finds the file damaged.  It opens the files
// that this one names: check_header_of() comes first.
void check_whole(const std::filesystem::path& file, const std::string& what);
