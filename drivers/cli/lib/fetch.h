// SPDX-License-Identifier: Apache-2.0
// The bytes of a backed up disk.
#pragma once

#include <string>

#include "common/one/chain.h"
#include "drivers/cli/lib/app.h"

namespace cli {

// Writes the disk of the URL, merged, as one qcow2 file to `fd`, and shows the progress.  Throws an
// Error that begins with `doing`, Cancelled.
void fetch(const App& app, const DiskUrl& url, int fd, const std::string& doing);

// Insists that a fetched file names no other one, and is whole; false where no qemu-img is there to
// look at that.
bool check_image(const std::filesystem::path& file, const std::string& what);

}  // namespace cli
