// SPDX-License-Identifier: Apache-2.0
// The children that restore.  Each can be killed at any point, and called again.
#pragma once

#include <string>

#include "drivers/lib/home.h"

namespace vmvaultd {

// The child's side.  Each prints what the other side reads, and throws Error.
//
// The file of a disk image: appears whole, or not.
void fetch_disk(const state::Home& home, int disk_image);
// The template of a machine whose disks are such images, and its domain.xml beside them.
void fetch_template(const state::Home& home, int id);
// The machine's own disks, as its row of restores says; ends that row if it went well.  The lock of
// the machine is held until all that was begun has ended, whoever dies.
void restore_in_place(const state::Home& home, const std::string& uri, int vm);

}  // namespace vmvaultd
