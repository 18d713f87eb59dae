// SPDX-License-Identifier: Apache-2.0
// Restores that notice on the way what is not what was backed up.
#pragma once

#include <optional>
#include <string>

#include "common/qcow2/stream.h"

// The checksums of a disk's file that our caller knows, from the directory that VMVAULT_SUMS names.
std::optional<std::string> known_sums(const std::string& disk_file);

// The same bytes, but an Error instead of the end of the first piece that differs from the
// checksums of its capture.  Where they are known; otherwise `source` itself.
qcow2::Source checked(const std::string& disk_file, qcow2::Source source);
