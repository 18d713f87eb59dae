// SPDX-License-Identifier: Apache-2.0
// One backup from its first step to its last, and the way to stop it.
#pragma once

#include <functional>
#include <string>

#include "vmm/lib/job.h"

namespace vmm {

// Gets "<id> <MiB> <format>"; throws Error if that reaches nobody.
using Answer = std::function<void(const std::string& reply)>;

// prebackup, backup, postbackup, and then the answer, which is what the second has said.
//
// Whatever fails in between, a cancellation included, postbackup is told of the failure and
// undoes; then the first failure is thrown.  What was stored is removed if the answer fails.  A
// second backup of the VM is refused while one runs.  What a killed orchestrator left is undone
// first.
void run_backup(const Job& job, const XmlNode& message, const Answer& answer);

// Undoes now what a killed orchestrator left, if anything.  Throws Error when a backup of the VM
// runs.
void recover(const Job& job, const XmlNode& message);

// Stops our own backup of this VM, if one runs, and lets the datastore's driver stop what others
// started.  Nothing to stop is no failure.
void cancel_backup(const Job& job, const XmlNode& message);

}  // namespace vmm
