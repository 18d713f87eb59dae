// SPDX-License-Identifier: Apache-2.0
// The verbs of backup_host.  Each holds the VM's backup lock while it works.
#pragma once

#include <string>

#include "tm/lib/host_request.h"

namespace host {

// Leaves the captured disks in the backup dir.  When it throws, the guest runs as before, the
// backup dir is gone and the chain is as it was.
void begin(const HostRequest& request);

// Ends a begin that still runs, and removes the backup dir and what an interrupted one left.
void end(const HostRequest& request);

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
