// SPDX-License-Identifier: Apache-2.0
// Paying what a dead backup owes to its guest.
#pragma once

#include <filesystem>

#include "tm/host/lib/journal.h"

namespace host {

class Hypervisor;

// Does the guest still need something, or is a snapshot in Ceph left?
bool owes(const Journal& journal);

// Ends the backup job that the journal tells of.  True when none is left.
bool end_jobs_of(const Journal& journal, Hypervisor& hypervisor);

// Undoes what the journal in the VM dir says, and removes the journal: ends our backup job, sets
// the guest free if we stopped it, resumes it after an I/O error, removes scratch files and the
// half-written backup dir.  Nothing when there is no journal.  The caller holds the lock.
//
// Throws Error when the journal is of another host (which must recover it), or the guest could not
// be set free: then the journal stays.
void pay_debts(const std::filesystem::path& vm_dir);

// The same for a journal of our own, at the end of a backup.
void settle(const Journal& journal, const std::filesystem::path& vm_dir);

}  // namespace host
