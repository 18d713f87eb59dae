// SPDX-License-Identifier: Apache-2.0
// The disks of a VM are read on a bridge, and its guest is on the VM's host.
#pragma once

#include "tm/lib/host_call.h"

// Lets backup_host fill the backup dir on the bridge, which asks for the guest to stand still, and
// backup_host on the VM's host see to that.  The two do not know each other: what one says to the
// other goes through this process.  When it ends, or one of them does, or the way to one, the guest
// goes on, and nothing has been captured.
void begin_on_bridge(const HostCall& bridge, const HostCall& host);

// What they say, a line each.
namespace bridge_words {
inline constexpr const char* stand_still = "stand still";  // the bridge asks for that,
inline constexpr const char* still = "still";              // and the host says when it is so
inline constexpr const char* go_on = "go on";  // the bridge has the snapshots; the host answers
                                               // with a report (tm/host/lib/guest_report.h)
}  // namespace bridge_words
