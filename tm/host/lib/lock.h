// SPDX-License-Identifier: Apache-2.0
// One backup per VM at a time: the lock in its directory, and whoever holds it.
#pragma once

#include <chrono>

#include "common/file.h"
#include "tm/lib/host_request.h"

namespace host {

// Waits for it; throws Error that names the VM, Cancelled.
FileLock lock_vm(const HostRequest& request, std::chrono::seconds limit);

// The exporter of a view has the lock until it is asked to end: asks it.  Does not wait.
void ask_exporter_to_end(const HostRequest& request);

}  // namespace host
