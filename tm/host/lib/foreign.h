// SPDX-License-Identifier: Apache-2.0
// What OpenNebula's own driver leaves when its backup of a VM dies (contract 4.2, 4.3), put right.
//
// A live full backup of it lets the guest write to <vm dir>/tmp/overlay_<id>.qcow2, which its next
// backup would delete.
#pragma once

#include "tm/host/lib/hypervisor.h"
#include "tm/lib/host_request.h"

namespace host {

// Ends its backup job; merges its overlays into the disks that they are of, while the guest runs
// on; removes its records of a snapshot, and its files, once no disk uses them.  Nothing if it left
// nothing.  Only for a VM that the core has no other backup of at work: that is, when the core or
// an operator asks for this very VM.
//
// What a guest wrote is never removed: an overlay of a VM that is off, or that no disk uses, is
// kept, and said so.  Throws Error when the guest still runs on an overlay; Cancelled.
void repair_foreign(const HostRequest& request, Hypervisor& hypervisor);

}  // namespace host
