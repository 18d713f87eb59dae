// SPDX-License-Identifier: Apache-2.0
// The verbs of backup_host.  Each holds the VM's backup lock while it works.
#pragma once

#include <string>

#include "tm/lib/host_request.h"

namespace host {

// Leaves the captured disks in the backup dir.  When it throws, the guest runs as before, the
// backup dir is gone and the chain is as it was.
void begin(const HostRequest& request);

// For a begin on a bridge: lets the guest stand still for as long as that takes its disks, and says
// so.  Returns a report of it (guest_report.h).  However it ends, the guest goes on.
std::string stand_still(const HostRequest& request);

// Ends a begin that still runs, and removes the backup dir and what an interrupted one left.
// False: what is left in a cluster that does not answer is removed later.
bool end(const HostRequest& request);

// The directory in which a bridge keeps lock, journal and log.
void make_state_dir(const HostRequest& request);

// Undoes what the journal in the VM dir says is owed; nothing if there is none.
void recover(const HostRequest& request);
// The same for every VM of this host whose backup has died; living ones are left alone.  Throws
// Error when something could not be undone; the others are.
void recover_all();

// The same, and puts right what another tool's backup left with the VM (foreign.h).
void recover_foreign(const HostRequest& request);

// The same, and leaves the VM's layers as OpenNebula's own driver expects them (for_stock.h).
void recover_for_stock(const HostRequest& request);

// One JSON document: is somebody at work, and what does the journal say?
std::string status(const HostRequest& request);

}  // namespace host
