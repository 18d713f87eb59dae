// SPDX-License-Identifier: Apache-2.0
// Leaving INCREMENT_MODE=SNAPSHOT to OpenNebula's own driver.
#pragma once

#include "tm/host/lib/capture.h"

namespace host {

// Brings the layers of the VM's disks to where that driver expects them (contract 4.4): what the
// core has is in the base, and one layer has the rest, under the number after the last increment.
// The guest runs on.  Throws Error, Cancelled: nothing is lost then, and it can be done again.
void leave_to_stock(Capture& capture, Hypervisor& hypervisor);

}  // namespace host
