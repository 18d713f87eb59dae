// SPDX-License-Identifier: Apache-2.0
// The process that runs one backup, and outlives the driver that began it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "drivers/lib/driver_record.h"

namespace front {

// The words that make this program a keeper of the record.  The lock of the record is passed on by
// the number of its descriptor; the payload of the request comes on stdin.  At most `slots` backups
// run at a time, the others wait.
std::vector<std::string> keeper_words(const Record& record, int lock, int slots);

// What comes after the first of these words; the exit status.  Moves out of the session and the
// cgroup of the driver, waits for its turn, runs vmm/kvm/backup and leaves the answer in the
// record. SIGTERM cancels.
int keep(const std::vector<std::string>& words, const std::filesystem::path& remotes);

}  // namespace front
