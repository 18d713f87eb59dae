// SPDX-License-Identifier: Apache-2.0
// The guest stands still around the point in time of a backup, and the result says how that went.
#pragma once

#include <memory>

#include "tm/host/lib/capture.h"
#include "tm/host/lib/quiet.h"

namespace host {

// As the request asks for it.  Where it asks for nothing, disks that are taken in several moments
// are of one point in time only if the guest is paused meanwhile; the result says so if it must not
// be.
Freeze how_to_stand_still(const HostRequest& request, bool several_moments, Result& result);

class Standstill {
 public:
  // Throws Error when the guest cannot be stopped, unless FS_FREEZE_FALLBACK lets the backup go on.
  Standstill(Capture& capture, Hypervisor& hypervisor, const Domain& domain, Result& result,
             Freeze how);

  // The point in time is past: looks whether the guest stood still until now, reads what is to be
  // kept beside the disks, and lets the guest go on.
  // Throws Error when it did not, unless FS_FREEZE_FALLBACK says that this does not matter.
  void end(const MachineFiles& files);

 private:
  bool may_fall_back() const;
  bool asked() const { return capture_.request.vm.backup.freeze != Freeze::none; }

  Capture& capture_;
  Result& result_;
  std::unique_ptr<Quiet> quiet_;
};

}  // namespace host
