// SPDX-License-Identifier: Apache-2.0
// EXPORT=view: the backup dir is served by a process of its own until the backup has ended.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tm/host/lib/capture.h"

namespace host {

struct Handover {
  Capture& capture;
  Hypervisor* hypervisor;  // nullptr: the guest is on another host
  std::unique_ptr<Origin> origin;
  std::vector<CopyDisk> disks;
  std::vector<qcow2::Plan> plans;
  std::vector<std::pair<std::string, std::string>> documents;  // by name
};

// Starts the exporter, which inherits the VM's backup lock and our end of the guard.  Returns when
// the view is mounted on the backup dir; origin and guard are its own then.  Throws Error or
// Cancelled, with no exporter and no mount left: then the origin is still the caller's, to undo.
//
// The exporter ends the backup (unmounts, ends the job, removes scratch files and journal) when it
// gets SIGTERM (`backup_host end`), when nobody has touched the view for VIEW_LEASE seconds
// (default 1800), when somebody else has taken the view down, or when its guard dies.  When the
// guest is in danger, it ends the job at once, and every read of a disk fails from then on.  The
// guard does all that when the exporter dies.
void serve(Handover& what);

}  // namespace host
