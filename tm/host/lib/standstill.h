// SPDX-License-Identifier: Apache-2.0
// The guest stands still around the point in time of a backup, and the result says how that went.
#pragma once

#include <memory>

#include "tm/host/lib/capture.h"
#include "tm/host/lib/quiet.h"

namespace host {

class Standstill {
 public:
  // As the request asks for it, or, where it asks for nothing, as the disks need it to be of one
  // point in time.
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
