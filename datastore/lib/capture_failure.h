// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "datastore/lib/machine.h"

// What the capture says of its own failure, in the backup directory on that machine; nothing if it
// is not the cause.  Throws Cancelled.
std::string failure_of_capture(const Machine& machine, const std::filesystem::path& directory);
