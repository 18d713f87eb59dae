// SPDX-License-Identifier: Apache-2.0
// After an orchestrator that was killed.
#pragma once

#include <chrono>
#include <string>

#include "vmm/lib/job.h"

namespace vmm {

// Ends what a dead orchestrator of this VM left, if anything: its steps are stopped, one that
// tidies up is waited for, and then the undo runs with `failure` on stdin.  An undo that does
// not succeed is logged, no more: the next step cleans up too.
//
// What it has stored is removed if nobody was told of it, and only named in the log where that is
// said by a file that is not the one that it wrote (Leftover::outdated).  It is not given to the
// caller of now, who has asked for the VM as it is now, perhaps with other disks and into another
// datastore.
//
// For the one orchestrator of this VM (see Running).  Throws Cancelled.
void take_over(const Job& job, const XmlNode& message, const std::string& failure,
               std::chrono::seconds deadline);

}  // namespace vmm
