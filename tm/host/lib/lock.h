// SPDX-License-Identifier: Apache-2.0
// One backup per VM at a time: the lock in its directory, and whoever holds it.
#pragma once

#include <chrono>
#include <optional>

#include "common/file.h"
#include "tm/lib/host_request.h"

namespace host {

// Waits for it; throws Error that names the VM, Cancelled.
FileLock lock_vm(const HostRequest& request, std::chrono::seconds limit);

// Who may be asked for it: the exporter of a view, or also a begin that still works.
enum class From { exporter, anybody };

// The same, after whoever has the lock was asked to end.  One who does not within some seconds is
// killed, and his view broken, so that nobody waits for it in the kernel: his guard then sees to
// the rest.
FileLock lock_from(From whom, const HostRequest& request, std::chrono::seconds limit);

// The same with anybody, for the end of a backup.  nullopt: all is done but the removal of its
// snapshots in a cluster that does not answer, and whoever has the lock goes on trying that.
std::optional<FileLock> lock_to_end(const HostRequest& request, std::chrono::seconds limit);

// The VM's lock for new work: taken from an exporter if the request says that nobody uploads.
FileLock lock_unless_used(const HostRequest& request);

}  // namespace host
