// SPDX-License-Identifier: Apache-2.0
// The checksums of a disk (common/sums.h), as a file beside it in a backup dir and in a backup.
#pragma once

#include <string>
#include <string_view>

// "disk.0.3" -> "sums.0.3".  No driver takes that for a disk: none of the patterns by which
// OpenNebula's own find them (contract 3.8, 3.9 and 4.6) has place for it.
std::string sums_file(std::string_view disk_file);

// Is this the name of such a file?
bool is_sums_file(std::string_view name);
