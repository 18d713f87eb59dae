// SPDX-License-Identifier: Apache-2.0
// One backup from its first step to its last, and the way to stop it.
#pragma once

#include <string>

#include "vmm/lib/job.h"

namespace vmm {

// prebackup, backup, postbackup; "<id> <MiB> <format>" from the second.
//
// Whatever fails in between, a cancellation included, postbackup is told of the failure and
// undoes; then the first failure is thrown.  A second backup of the VM is refused while one runs.
// What a killed orchestrator left is undone first.
std::string run_backup(const Job& job, const XmlNode& message);

// Stops our own backup of this VM, if one runs, and lets the datastore's driver stop what others
// started.  Nothing to stop is no failure.
void cancel_backup(const Job& job, const XmlNode& message);

}  // namespace vmm
