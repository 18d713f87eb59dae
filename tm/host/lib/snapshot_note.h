// SPDX-License-Identifier: Apache-2.0
// Whose a snapshot of a backup is, noted in the storage with it.
//
// Names like one_backup_1 are those of every chain, and what has a disk's name may be the disk of
// another VM, or an older copy.  A snapshot without a note is an older version's, or was taken by
// OpenNebula's own driver: its name must do.
#pragma once

#include <string>

#include "tm/host/lib/capture.h"

namespace host {

// Of what this capture makes.  `itself` is what no other snapshot in the storage has, not even a
// copy of it; no "/" in it.
std::string snapshot_note(const Capture& capture, int disk, const std::string& itself);

// Says the note of such a snapshot that it is what this capture's parent made of this disk?
bool is_of_parent(const Capture& capture, int disk, const std::string& itself,
                  const std::string& note);

}  // namespace host
