// SPDX-License-Identifier: Apache-2.0
// After an orchestrator that was killed.
#pragma once

#include <chrono>
#include <string>

namespace vmm {

// Ends what a dead orchestrator of this VM left, if anything: its steps are stopped, one that
// tidies up is waited for, and then the undo runs with `failure` on stdin.  An undo that does
// not succeed is logged, no more: the next step cleans up too.
//
// For the one orchestrator of this VM (see Running).  Throws Cancelled.
void take_over(int vm_id, const std::string& failure, std::chrono::seconds deadline);

}  // namespace vmm
